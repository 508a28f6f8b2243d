#include "dualgpuopt/memory/oom/oom_report.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "dualgpuopt/memory/oom/oom_advice.h"

namespace dualgpuopt::memory {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

OomError torch_error() {
  OomError error;
  error.source = OomSource::PyTorch;
  error.gpu = 0;
  error.requested = 2_GiB;
  error.total = 16_GiB;
  error.free = 20_MiB;
  error.allocated = 9_GiB;
  error.reserved_unused = 5_GiB;
  return error;
}

TEST(OomReport, SaysWhatHappened) {
  EXPECT_EQ(describe(torch_error()),
            "PyTorch asked for 2.0 GiB on GPU 0, and 20 MiB of 16.0 GiB were free; its tensors had 9.0 GiB, its "
            "allocator 5.0 GiB more, unused");
  EXPECT_EQ(describe(OomError{}), "CUDA ran out of memory on a GPU that the text does not name");
}

TEST(OomReport, SaysWhere) {
  OomError error;
  error.backend = OomBackend::Host;
  error.gpu = 1;
  EXPECT_THAT(describe(error), HasSubstr("of the host's memory"));
  error.backend = OomBackend::Tpu;
  error.gpu.reset();
  EXPECT_THAT(describe(error), HasSubstr("on a TPU"));
  error.application = OomSource::Vllm;
  EXPECT_THAT(describe(error), HasSubstr("CUDA in vLLM ran out"));
}

TEST(OomReport, SaysWhoHasTheRest) {
  auto error = torch_error();
  error.elsewhere = 3_GiB;
  EXPECT_THAT(describe(error), HasSubstr("; 3.0 GiB were in use elsewhere"));
  error.others = {{4711, 2_GiB}, {5, std::nullopt}};
  EXPECT_THAT(describe(error), HasSubstr("; process 4711 had 2.0 GiB, process 5 had an implausible size"));
}

TEST(OomReport, SaysWhatLimitsThere) {
  auto error = torch_error();
  error.limit = 10_GiB;
  EXPECT_THAT(describe(error), HasSubstr("its limit is 10.0 GiB"));
  error.limit = 20_GiB;
  EXPECT_THAT(describe(error), Not(HasSubstr("limit"))) << "more than there is";
}

TEST(OomReport, SaysWhatTheCacheHas) {
  OomError error;
  error.cache_left = -static_cast<SignedBytes>(512_MiB);
  EXPECT_THAT(describe(error), HasSubstr("512 MiB were missing before any cache"));
  error.cache_left = 1 << 30;
  error.cache_needed = 3_GiB;
  EXPECT_THAT(describe(error), HasSubstr("the cache needs 3.0 GiB; 1.0 GiB were left for the cache"));
}

TEST(OomReport, SaysWhatIsNotFatalAndWhatIsImplausible) {
  auto error = torch_error();
  EXPECT_THAT(describe(error), Not(HasSubstr("went on")));
  error.fatal = false;
  EXPECT_THAT(describe(error), HasSubstr("; the program went on"));
  error.requested = Bytes{1} << 62;
  EXPECT_THAT(describe(error), HasSubstr("asked for 4611686018427387904 bytes, which is implausible"));
  error.requested.reset();
  error.implausible = {"requested_bytes"};
  EXPECT_THAT(describe(error), HasSubstr("asked for an implausible size"));
}

TEST(OomReport, IsOneJsonLine) {
  auto error = torch_error();
  error.text = "broken \xff text";
  error.others = {{1234, 1_GiB, true}};
  const auto line = to_json(error);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const auto record = nlohmann::json::parse(line);
  EXPECT_EQ(record["type"], "oom_error");
  EXPECT_EQ(record["source"], "PyTorch");
  EXPECT_EQ(record["requested_bytes"], 2_GiB);
  EXPECT_EQ(record["others"][0]["pid"], 1234);
  EXPECT_EQ(record["others"][0]["may_be_this"], true);
  EXPECT_EQ(record["measures"].size(), measures_against(error).size());
}

TEST(OomReport, HasNullForWhatIsUnknown) {
  const auto record = nlohmann::json::parse(to_json(OomError{}));
  for (const auto* name : {"backend", "application", "gpu", "cache_left_bytes", "context", "cache_tokens",
                           "estimated_context", "utilization", "shape", "dtype"}) {
    ASSERT_TRUE(record.contains(name)) << name;
    EXPECT_TRUE(record[name].is_null()) << name;
  }
  for (const auto& size : oom_sizes()) EXPECT_TRUE(record.at(std::string(size.name)).is_null()) << size.name;
}

TEST(OomReport, NamesTheRuntimeThatSpeaks) {
  OomError error;
  error.backend = OomBackend::Hip;
  EXPECT_THAT(describe(error), HasSubstr("HIP ran out of memory"));
  error.source = OomSource::PyTorch;
  EXPECT_THAT(describe(error), HasSubstr("PyTorch ran out of memory"));
}

}  // namespace
}  // namespace dualgpuopt::memory
