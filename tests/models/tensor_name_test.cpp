#include "models/tensor_name.h"

#include <gtest/gtest.h>

namespace dualgpuopt::memory {
namespace {

TEST(TensorName, TellsTheLayer) {
  EXPECT_EQ(layer_in_name("blk.7.attn_k.weight"), 7U);
  for (const auto* none : {"output.weight", "blk.", "blk.7", "blk.x.a", "blk.-1.a", "blk.7x.a",
                           "blk.99999999999999999999999.attn_k.weight"})
    EXPECT_EQ(layer_in_name(none), std::nullopt) << none;
}

}  // namespace
}  // namespace dualgpuopt::memory
