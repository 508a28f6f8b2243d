#include "sources/nvml_memory.h"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include "sources/nvml_stage.h"

namespace dualgpuopt::memory::nvml {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(NvmlMemory, KeepsTheReserveApartWhereTheDriverDoes) {
  const Stage stage{fake_gpu("GPU-1", 24_GiB, 512_MiB, 6_GiB)};
  auto first = MemoryCall::V2;
  const auto memory = read_memory(stage.library, stage.gpu(0), first);
  ASSERT_TRUE(memory) << memory.error().describe();
  EXPECT_EQ(memory->total, 24_GiB);
  EXPECT_EQ(memory->reserved, 512_MiB);
  EXPECT_EQ(memory->used, 6_GiB);
  EXPECT_EQ(memory->free, 17920_MiB);
  EXPECT_EQ(memory->used_meaning, UsedMeaning::WithoutReserved);
  EXPECT_EQ(first, MemoryCall::V2);
  EXPECT_EQ(stage.fake.calls(kNvmlFakeMemoryV1), 0U);
}

TEST(NvmlMemory, SaysThatTheOldCallCountsTheReserveAsUsed) {
  const Stage stage({fake_gpu("GPU-1", 24_GiB, 512_MiB, 6_GiB)}, NvmlGeneration::R510);
  stage.fake.force(0, kNvmlFakeMemoryV2, 13);
  auto first = MemoryCall::V2;
  const auto memory = read_memory(stage.library, stage.gpu(0), first);
  ASSERT_TRUE(memory) << memory.error().describe();
  EXPECT_EQ(*memory, (MemoryUse{6656_MiB, 24_GiB, 17920_MiB, std::nullopt, UsedMeaning::WithReserved}));
}

TEST(NvmlMemory, KnowsThatDriversBeforeR510LeaveTheReserveOut) {
  for (const auto generation : {NvmlGeneration::R470, NvmlGeneration::R418}) {
    const Stage stage({fake_gpu("GPU-1", 24_GiB, 512_MiB, 6_GiB)}, generation);
    stage.fake.change([](NvmlFakeState& state) { state.v1_without_reserved = 1; });
    auto first = MemoryCall::V2;
    const auto memory = read_memory(stage.library, stage.gpu(0), first);
    ASSERT_TRUE(memory) << memory.error().describe();
    EXPECT_EQ(*memory, (MemoryUse{6_GiB, 24064_MiB, 17920_MiB, std::nullopt, UsedMeaning::WithoutReserved}));
    EXPECT_EQ(memory->occupied(), 6_GiB);
  }
}

TEST(NvmlMemory, RemembersARefusalThatLasts) {
  for (const int code : {3, 13, 25}) {
    const Stage stage{fake_gpu("GPU-1", 24_GiB, 0, 6_GiB)};
    stage.fake.force(0, kNvmlFakeMemoryV2, code);
    auto first = MemoryCall::V2;
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(read_memory(stage.library, stage.gpu(0), first)) << code;
    EXPECT_EQ(stage.fake.calls(kNvmlFakeMemoryV2), 1U) << code;
    EXPECT_EQ(stage.fake.calls(kNvmlFakeMemoryV1), 3U) << code;
  }
}

TEST(NvmlMemory, TriesTheNewCallAgainAfterAFault) {
  const Stage stage{fake_gpu("GPU-1", 24_GiB, 512_MiB, 6_GiB)};
  stage.fake.force(0, kNvmlFakeMemoryV2, 999);
  auto first = MemoryCall::V2;
  EXPECT_EQ(read_memory(stage.library, stage.gpu(0), first)->used_meaning, UsedMeaning::WithReserved);
  stage.fake.force(0, kNvmlFakeMemoryV2, 0);
  EXPECT_EQ(read_memory(stage.library, stage.gpu(0), first)->used_meaning, UsedMeaning::WithoutReserved);
}

/// The reason given when the two calls fail with these codes.
std::string reason(int v2, int v1) {
  const Stage stage{fake_gpu("GPU-1", 24_GiB, 0, 0)};
  stage.fake.force(0, kNvmlFakeMemoryV2, v2);
  stage.fake.force(0, kNvmlFakeMemoryV1, v1);
  auto first = MemoryCall::V2;
  const auto memory = read_memory(stage.library, stage.gpu(0), first);
  return memory ? "none" : memory.error().describe();
}

TEST(NvmlMemory, GivesTheReasonThatTellsMore) {
  EXPECT_THAT(reason(15, 15), HasSubstr("GPU is lost (NVML code 15)"));
  EXPECT_THAT(reason(15, 999), HasSubstr("GPU is lost (NVML code 15)"));
  EXPECT_THAT(reason(13, 4), HasSubstr("Insufficient Permissions (NVML code 4)"));
  EXPECT_THAT(reason(3, 3), HasSubstr("Not Supported (NVML code 3)"));
  EXPECT_EQ(reason(4, 0), "none");
}

TEST(NvmlMemory, TellsADeviceWithoutACountFromOneThatFails) {
  const auto code_of = [](int v2, int v1) {
    const Stage stage{fake_gpu("GPU-1", 24_GiB, 0, 0)};
    stage.fake.force(0, kNvmlFakeMemoryV2, v2);
    stage.fake.force(0, kNvmlFakeMemoryV1, v1);
    auto first = MemoryCall::V2;
    return read_memory(stage.library, stage.gpu(0), first).error().code();
  };
  EXPECT_EQ(code_of(3, 3), ErrorCode::Unsupported);
  EXPECT_EQ(code_of(13, 3), ErrorCode::Unsupported);
  EXPECT_EQ(code_of(15, 3), ErrorCode::Unavailable);
  EXPECT_EQ(code_of(3, 4), ErrorCode::Unavailable);
}

TEST(NvmlMemory, DoesNotBelieveImpossibleNumbers) {
  const auto problem = []<typename Memory>(const Memory& memory) {
    const auto use = [&] {
      if constexpr (std::is_same_v<Memory, MemoryV1>)
        return to_memory_use(memory, UsedMeaning::WithReserved);
      else
        return to_memory_use(memory);
    }();
    return use ? "none" : use.error().describe();
  };
  EXPECT_THAT(problem(MemoryV1{0, 0, 0}), HasSubstr("impossible numbers (total 0 B, used 0 B, free 0 B"));
  EXPECT_THAT(problem(MemoryV1{10, 0, 11}), AllOf(HasSubstr("total 10 B"), HasSubstr("used 11 B")));
  EXPECT_THAT(problem(MemoryV1{10, 11, 0}), HasSubstr("free 11 B"));
  EXPECT_EQ(problem(MemoryV1{10, 0, 10}), "none");
  EXPECT_THAT(problem(MemoryV2{0, 0, 0, 0, 0}), HasSubstr("total 0 B"));
  EXPECT_THAT(problem(MemoryV2{0, 10, 0, 0, 11}), HasSubstr("used 11 B"));
  EXPECT_THAT(problem(MemoryV2{0, 10, 0, ~0ULL, 0}), HasSubstr("free 18446744073709551615 B"));
  EXPECT_THAT(problem(MemoryV2{0, 10, 11, 0, 0}), HasSubstr("reserved 11 B"));
  EXPECT_EQ(problem(MemoryV2{0, 10, 1, 2, 7}), "none");
}

TEST(NvmlMemory, BelievesNoOtherCallWhereOneGaveNonsense) {
  const Stage stage{fake_gpu("GPU-1", 24_GiB, 0, 0)};
  stage.fake.change([](NvmlFakeState& state) { state.devices[0].free = 25_GiB; });
  auto first = MemoryCall::V2;
  EXPECT_FALSE(read_memory(stage.library, stage.gpu(0), first));
  EXPECT_EQ(stage.fake.calls(kNvmlFakeMemoryV1), 0U);
}

RC_GTEST_PROP(NvmlMemory, GivesTheDriversNumbersOrNone, (Bytes total, Bytes reserved, Bytes free, Bytes used)) {
  const auto use = to_memory_use(MemoryV2{0, total, reserved, free, used});
  RC_ASSERT(use.has_value() == (total > 0 && reserved <= total && free <= total && used <= total));
  if (use) RC_ASSERT(*use == (MemoryUse{used, total, free, reserved, UsedMeaning::WithoutReserved}));
}

}  // namespace
}  // namespace dualgpuopt::memory::nvml
