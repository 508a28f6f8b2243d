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

TEST(ShapeDefaults, OfAStateThatIsNotTold) {
  ModelShape shape;
  shape.architecture = "qwen35";
  set_state(shape, {}, 6144);
  EXPECT_EQ(shape.state_elements, state_elements({4, 6144, 128, 16}));
  EXPECT_EQ(shape.state_inner, 6144U);
  EXPECT_EQ(shape.state_keys, 2U * 16 * 128);
  EXPECT_TRUE(shape.gated_queries);
  set_state(shape, {4, 8192, 128, 0}, 6144);
  EXPECT_EQ(shape.state_inner, 8192U) << "as told";
  ModelShape other;
  other.architecture = "llama";
  set_state(other, {}, 4096);
  EXPECT_EQ(other.state_elements, 0U);
  EXPECT_FALSE(other.gated_queries);
}

TEST(ShapeDefaults, OfWindowsAndIntervals) {
  EXPECT_EQ(customary_window("gpt-oss"), 128U);
  EXPECT_EQ(customary_window("llama"), 0U);
  EXPECT_EQ(customary_attention_interval("qwen35moe"), 4U);
  EXPECT_EQ(customary_attention_interval("llama"), 0U);
}

}  // namespace
}  // namespace dualgpuopt::memory
