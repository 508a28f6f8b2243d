#include "sources/nvml_unified.h"

#include <gmock/gmock.h>

namespace dualgpuopt::memory::nvml {
namespace {

using ::testing::HasSubstr;

ProcessMemory process(pid_t pid, std::optional<Bytes> used) {
  ProcessMemory process;
  process.pid = pid;
  process.used = used;
  return process;
}

TEST(UnifiedMemory, IsWhatProcessesUseAndWhatTheHostHasLeft) {
  const auto memory = estimate_unified_memory({{}, {process(1, 2_GiB), process(2, 1_GiB)}, "", ""}, 5_GiB);
  ASSERT_TRUE(memory);
  EXPECT_EQ(*memory, (MemoryUse{3_GiB, 8_GiB, 5_GiB, std::nullopt, UsedMeaning::Estimate}));
  EXPECT_EQ(memory->occupied_percent(), 37.5);
}

TEST(UnifiedMemory, IsUnusedWithoutProcesses) {
  EXPECT_EQ(estimate_unified_memory({}, 5_GiB)->occupied_percent(), 0.0);
}

TEST(UnifiedMemory, IsNotKnownWhereAProcessIsNot) {
  const auto hidden = estimate_unified_memory({{}, {process(1, std::nullopt)}, "", "not counted"}, 5_GiB);
  ASSERT_FALSE(hidden);
  EXPECT_THAT(hidden.error().describe(), HasSubstr("not counted"));
  EXPECT_THAT(estimate_unified_memory({{}, {}, "no permission", ""}, 5_GiB).error().describe(),
              HasSubstr("no permission"));
}

}  // namespace
}  // namespace dualgpuopt::memory::nvml
