#include "models/shape_defaults.h"

#include <gtest/gtest.h>

namespace dualgpuopt::memory {
namespace {

TEST(ShapeDefaults, OfARecurrentState) {
  // Qwen 3.5 122B keeps 149.07 MiB in 36 such layers, as its log prints it.
  EXPECT_NEAR(36.0 * 4 * static_cast<double>(state_elements({4, 8192, 128, 16})) / (1 << 20), 149.07, 0.01);
  EXPECT_EQ(state_elements({4, 8192, 128, 0}), state_elements({4, 8192, 128, 16}));
  EXPECT_EQ(state_elements({}), 0U);
}

TEST(ShapeDefaults, OfWindowsAndIntervals) {
  EXPECT_EQ(customary_window("gpt-oss"), 128U);
  EXPECT_EQ(customary_window("llama"), 0U);
  EXPECT_EQ(customary_attention_interval("qwen35moe"), 4U);
  EXPECT_EQ(customary_attention_interval("llama"), 0U);
}

}  // namespace
}  // namespace dualgpuopt::memory
