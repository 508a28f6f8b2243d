#include "dualgpuopt/memory/oom/oom_advice.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace dualgpuopt::memory {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

OomError pytorch(Bytes requested, Bytes free, Bytes allocated, Bytes unused) {
  OomError error;
  error.source = OomSource::PyTorch;
  error.gpu = 0;
  error.requested = requested;
  error.total = 16_GiB;
  error.free = free;
  error.allocated = allocated;
  error.reserved_unused = unused;
  return error;
}

TEST(OomAdvice, SaysWhatHappened) {
  EXPECT_EQ(describe(pytorch(2_GiB, 20_MiB, 9_GiB, 5_GiB)),
            "PyTorch asked for 2.0 GiB on GPU 0, and 20 MiB of 16.0 GiB were free; its tensors had 9.0 GiB, its "
            "allocator 5.0 GiB "
            "more, unused");
  EXPECT_EQ(describe(OomError{}), "CUDA ran out of memory on a GPU that the text does not name");
}

TEST(OomAdvice, SeesFragments) {
  EXPECT_THAT(measures_against(pytorch(2_GiB, 20_MiB, 9_GiB, 5_GiB)),
              Contains(HasSubstr("5.0 GiB are reserved but unused")));
  EXPECT_THAT(measures_against(pytorch(7_GiB, 20_MiB, 9_GiB, 5_GiB)), Not(Contains(HasSubstr("reserved but unused"))))
      << "they would not do";
}

TEST(OomAdvice, SaysHowMuchIsMissing) {
  EXPECT_THAT(measures_against(pytorch(2_GiB, 512_MiB, 14_GiB, 512_MiB)),
              ElementsAre(HasSubstr("1.0 GiB are missing")));
  OomError nothing_known;
  nothing_known.source = OomSource::PyTorch;
  EXPECT_THAT(measures_against(nothing_known), ElementsAre(HasSubstr("Halve the batch")));
}

TEST(OomAdvice, SeesOthers) {
  auto error = pytorch(2_GiB, 20_MiB, 3_GiB, 0);
  error.process = 4_GiB;
  EXPECT_THAT(measures_against(error), Contains(HasSubstr("12.0 GiB of this GPU are held outside")));
  error.others = {{4711, 11_GiB}};
  EXPECT_THAT(measures_against(error), Contains(HasSubstr("Process 4711 holds 11.0 GiB")));
}

TEST(OomAdvice, SeesThatThereWasRoom) {
  EXPECT_THAT(measures_against(pytorch(2_MiB, 12_GiB, 3_GiB, 0)),
              ElementsAre(HasSubstr("12.0 GiB were free when 2 MiB were refused")));
}

TEST(OomAdvice, OfLlamaCppDependsOnTheBuffer) {
  OomError error;
  error.source = OomSource::LlamaCpp;
  error.requested = 9_GiB;
  error.phase = OomPhase::Compute;
  EXPECT_THAT(measures_against(error)[0], HasSubstr("scratch buffer of 9.0 GiB"));
  error.phase = OomPhase::KvCache;
  EXPECT_THAT(measures_against(error)[0], HasSubstr("-ctk q8_0"));
  error.phase = OomPhase::Weights;
  EXPECT_THAT(measures_against(error)[0], HasSubstr("its weights ask for 9.0 GiB"));
  error.fatal = false;
  EXPECT_THAT(measures_against(error), ElementsAre(HasSubstr("Nothing needs to be done")));
}

TEST(OomAdvice, OfVllmHasItsNumbers) {
  OomError error;
  error.source = OomSource::Vllm;
  error.context = 131072;
  error.cache_tokens = 86432;
  EXPECT_THAT(measures_against(error)[0], HasSubstr("--max-model-len 86432"));
  OomError startup;
  startup.source = OomSource::Vllm;
  startup.free = 60_GiB;
  startup.total = 80_GiB;
  EXPECT_THAT(measures_against(startup)[0],
              HasSubstr("Others hold 20.0 GiB of this GPU: end them, or start with --gpu-memory-utilization 0.73"));
}

TEST(OomAdvice, IsNeverMoreThanThreeMeasures) {
  auto error = pytorch(2_GiB, 20_MiB, 3_GiB, 2_GiB);
  for (int pid = 1; pid < 9; ++pid) error.others.push_back({pid, 1_GiB});
  EXPECT_THAT(measures_against(error), SizeIs(3));
}

TEST(OomAdvice, IsOneJsonLine) {
  auto error = pytorch(2_GiB, 20_MiB, 9_GiB, 5_GiB);
  error.text = "broken \xff text";
  const auto line = to_json(error);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const auto record = nlohmann::json::parse(line);
  EXPECT_EQ(record["type"], "oom_error");
  EXPECT_EQ(record["source"], "PyTorch");
  EXPECT_EQ(record["requested_bytes"], 2_GiB);
  EXPECT_TRUE(record["limit_bytes"].is_null());
  EXPECT_EQ(record["measures"].size(), measures_against(error).size());
}

}  // namespace
}  // namespace dualgpuopt::memory
