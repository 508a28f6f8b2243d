#include "dualgpuopt/memory/oom/oom_advice.h"

#include <gmock/gmock.h>

namespace dualgpuopt::memory {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
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

OomError of(OomSource source) {
  OomError error;
  error.source = source;
  return error;
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
  complete(error);
  EXPECT_THAT(measures_against(error), Contains(HasSubstr("12.0 GiB of this GPU are held outside")));
  error.others = {{4711, 11_GiB}};
  EXPECT_THAT(measures_against(error), Contains(HasSubstr("Process 4711 holds 11.0 GiB")));
}

TEST(OomAdvice, SeesThatThereWasRoom) {
  EXPECT_THAT(measures_against(pytorch(2_MiB, 12_GiB, 3_GiB, 0)),
              ElementsAre(HasSubstr("12.0 GiB were free when 2 MiB were refused")));
}

TEST(OomAdvice, IsNeverMoreThanThreeMeasures) {
  auto error = pytorch(2_GiB, 20_MiB, 3_GiB, 2_GiB);
  for (int pid = 1; pid < 9; ++pid) error.others.push_back({pid, 1_GiB});
  EXPECT_THAT(measures_against(error), SizeIs(3));
}

TEST(OomAdvice, NeverInventsNumbers) {
  for (int i = 0; i <= static_cast<int>(OomSource::Linux); ++i) {
    const auto measures = measures_against(of(static_cast<OomSource>(i)));
    EXPECT_THAT(measures, Not(IsEmpty())) << i;
    for (const auto& measure : measures) EXPECT_THAT(measure, Not(HasSubstr("iB "))) << i;
  }
}

TEST(OomAdvice, AgainstFragmentsIsWhatTheVersionKnows) {
  auto error = pytorch(2_GiB, 20_MiB, 9_GiB, 5_GiB);
  EXPECT_THAT(measures_against(error)[0], EndsWith("set PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True."));
  error.era = PyTorchEra::Brackets;
  EXPECT_THAT(measures_against(error)[0], HasSubstr("max_split_size_mb"));
  error.era = PyTorchEra::Cached;
  EXPECT_THAT(measures_against(error)[0], HasSubstr("empty_cache"));
  error.era = PyTorchEra::Sentences;
  error.backend = OomBackend::Hip;
  EXPECT_THAT(measures_against(error)[0], HasSubstr("PYTORCH_HIP_ALLOC_CONF"));
}

TEST(OomAdvice, BlamesPyTorchsLimitWhereItWasMet) {
  auto met = pytorch(2_GiB, 10_GiB, 7_GiB, 0);
  met.limit = 8_GiB;
  EXPECT_THAT(measures_against(met), Contains(HasSubstr("set_per_process_memory_fraction")));
  auto full = pytorch(2_GiB, 1_GiB, 3_GiB, 0);
  full.limit = 8_GiB;
  EXPECT_THAT(measures_against(full), Not(Contains(HasSubstr("set_per_process_memory_fraction"))))
      << "5 of the 8 GiB would be taken: the device is full";
}

TEST(OomAdvice, WhatIsLargerThanTheGpuWillNeverFit) {
  auto error = pytorch(64_GiB, 10_GiB, 1_GiB, 1_GiB);
  EXPECT_THAT(measures_against(error)[0], HasSubstr("4.0 times the 16.0 GiB"));
}

TEST(OomAdvice, AProcessThatMayBeThisOneIsLeftAlone) {
  auto error = pytorch(2_GiB, 20_MiB, 3_GiB, 0);
  error.others = {{4711, 4_GiB, true}};
  EXPECT_THAT(measures_against(error), Not(Contains(HasSubstr("4711"))));
}

TEST(OomAdvice, AnImplausibleSizeIsLookedForElsewhere) {
  auto error = of(OomSource::OnnxRuntime);
  error.requested = Bytes{1} << 62;
  EXPECT_THAT(measures_against(error), ElementsAre(HasSubstr("integer overflow")));
  error.requested.reset();
  error.implausible = {"requested_bytes"};
  EXPECT_THAT(measures_against(error), ElementsAre(HasSubstr("integer overflow")));
}

TEST(OomAdvice, InsideAServerHasItsKnobs) {
  auto error = pytorch(2_GiB, 512_MiB, 15_GiB, 512_MiB);
  error.application = OomSource::Vllm;
  EXPECT_THAT(measures_against(error), Contains(HasSubstr("--gpu-memory-utilization")));
  error.application = OomSource::SgLang;
  EXPECT_THAT(measures_against(error), Contains(HasSubstr("--mem-fraction-static")));
}

TEST(OomAdvice, OnAppleGoesByTheLimit) {
  auto error = of(OomSource::PyTorch);
  error.backend = OomBackend::Mps;
  error.requested = 1_GiB;
  error.allocated = 5_GiB;
  error.elsewhere = 2_GiB;
  error.limit = 7_GiB;
  EXPECT_THAT(measures_against(error),
              ElementsAre(HasSubstr("2.0 GiB are allocated outside"), HasSubstr("1.0 GiB are missing"),
                          HasSubstr("lifts the limit of 7.0 GiB")));
}

TEST(OomAdvice, HalvesATensorFlowShape) {
  auto error = of(OomSource::TensorFlow);
  error.shape = {64, 1024, 1024};
  error.requested = 256_MiB;
  EXPECT_THAT(measures_against(error)[0], AllOf(HasSubstr("32 in place of 64"), HasSubstr("128 MiB in place of 256")));
}

TEST(OomAdvice, OnATpuIsOfTpus) {
  auto error = of(OomSource::Jax);
  error.backend = OomBackend::Tpu;
  error.requested = 17_GiB;
  error.total = 15_GiB;
  EXPECT_THAT(measures_against(error)[0], HasSubstr("2.0 GiB of 17.0 GiB are missing"));
}

TEST(OomAdvice, TheHostIsNoGpu) {
  auto error = of(OomSource::Ollama);
  error.backend = OomBackend::Host;
  error.requested = 4_GiB;
  error.free = 3_GiB;
  EXPECT_THAT(measures_against(error), ElementsAre(HasSubstr("host"), HasSubstr("1.0 GiB are missing of 4.0 GiB")));
}

TEST(OomAdvice, KnowsThePoolsLimits) {
  auto cupy = of(OomSource::CuPy);
  cupy.limit = 9_GiB;
  EXPECT_THAT(measures_against(cupy)[0], HasSubstr("limit is 9.0 GiB"));
  auto rmm = of(OomSource::Rmm);
  rmm.limit = 8_GiB;
  EXPECT_THAT(measures_against(rmm)[0], HasSubstr("maximum size of 8.0 GiB"));
}

TEST(OomAdvice, WhatWasSurvivedNeedsNothing) {
  auto error = of(OomSource::TensorFlow);
  error.fatal = false;
  EXPECT_THAT(measures_against(error), ElementsAre(HasSubstr("Nothing needs to be done")));
}

TEST(OomAdvice, WithEnoughFreeBlamesNeitherFragmentsNorOthers) {
  auto error = pytorch(2_MiB, 12_GiB, 1_GiB, 1_GiB);
  error.elsewhere = 2_GiB;
  EXPECT_THAT(measures_against(error), ElementsAre(HasSubstr("12.0 GiB were free when 2 MiB were refused")));
  error.limit = 1_GiB;
  EXPECT_THAT(measures_against(error), ElementsAre(HasSubstr("may take 1.0 GiB only"))) << "that explains it";
}

TEST(OomAdvice, OfOtherBackendsHasTheirNames) {
  auto error = pytorch(20_MiB, 5_MiB, 10_GiB, 94_MiB);
  error.backend = OomBackend::Xpu;
  EXPECT_THAT(measures_against(error), Contains(HasSubstr("torch.xpu.empty_cache()")));
  EXPECT_THAT(measures_against(error), Not(Contains(HasSubstr("cuda"))));
}

TEST(OomAdvice, AFitThatFailedIsLeftToLlamaCpp) {
  auto error = of(OomSource::LlamaCpp);
  error.fatal = false;
  error.phase = OomPhase::Startup;
  EXPECT_THAT(measures_against(error), ElementsAre(HasSubstr("Leave out --gpu-layers")));
}

}  // namespace
}  // namespace dualgpuopt::memory
