#include "dualgpuopt/memory/models/model_shape.h"

#include <gtest/gtest.h>

#include "models/shapes.h"

namespace dualgpuopt::memory {
namespace {

TEST(ModelShape, CountsHeadsAndLayers) {
  auto shape = testing::llama3_8b().shape;
  EXPECT_EQ(shape.heads(), 32U);
  EXPECT_EQ(shape.count(LayerCache::Full), 32U);
  shape.layers[3].cache = LayerCache::None;
  EXPECT_EQ(shape.count(LayerCache::Full), 31U);
  EXPECT_EQ(ModelShape{}.heads(), 0U);
}

TEST(CustomaryCache, FollowsTheArchitecture) {
  EXPECT_EQ(customary_cache("gemma3", 4, 1024), LayerCache::Window);
  EXPECT_EQ(customary_cache("gemma3", 5, 1024), LayerCache::Full);
  EXPECT_EQ(customary_cache("gpt-oss", 0, 128), LayerCache::Window);
  EXPECT_EQ(customary_cache("gpt-oss", 1, 128), LayerCache::Full);
  EXPECT_EQ(customary_cache("llama", 0, 4096), LayerCache::Full);
  EXPECT_EQ(customary_cache("gemma3", 4, 0), LayerCache::Full) << "no window";
  EXPECT_EQ(customary_cache("smallthinker", 0, 4096), LayerCache::Full) << "the first of four";
  EXPECT_EQ(customary_cache("smallthinker", 3, 4096), LayerCache::Window);
}

}  // namespace
}  // namespace dualgpuopt::memory
