#include "models/torch_memory.h"

#include <gtest/gtest.h>

#include "models/shapes.h"

namespace dualgpuopt::memory {
namespace {

constexpr double kMiB = 1 << 20;

TEST(TorchMemory, RoundsAsTheAllocatorDoes) {
  EXPECT_EQ(allocated(0), 0);
  EXPECT_EQ(allocated(1), 512);
  EXPECT_EQ(allocated(9 * kMiB + 1), 9 * kMiB + 512);
  EXPECT_EQ(allocated(11 * kMiB), 12 * kMiB);
  EXPECT_EQ(allocated(12 * kMiB), 12 * kMiB);
}

TEST(TorchMemory, MatricesOfRoundDimensionsLeaveNoSlack) {
  EXPECT_EQ(rounding(testing::llama3_8b().shape, 2), 0);
  auto shape = testing::llama3_8b().shape;
  for (auto& layer : shape.layers) layer.feed_forward = 14337;
  EXPECT_GT(rounding(shape, 2), 32 * 3 * 1 * kMiB) << "each of three matrices a layer loses nearly 2 MiB";
}

TEST(TorchMemory, TokensTakeTheirHeadsAndExperts) {
  const auto dense = testing::llama3_8b().shape;
  const auto widths = token_widths(dense, dense.layers.front());
  EXPECT_EQ(widths.queries, 4096);
  EXPECT_EQ(widths.keys_values, 1024);
  EXPECT_EQ(widths.inner, 14336);
  EXPECT_EQ(widths.experts, 0);
  const auto sparse = testing::qwen3_235b().shape;
  const auto of_experts = token_widths(sparse, sparse.layers.front());
  EXPECT_EQ(of_experts.inner, 8 * 1536);
  EXPECT_EQ(of_experts.experts, 8);
  EXPECT_TRUE(of_experts.normalises_heads);
}

}  // namespace
}  // namespace dualgpuopt::memory
