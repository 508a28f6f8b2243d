#include "dualgpuopt/memory/models/kv_cache.h"

#include <gtest/gtest.h>

#include "models/shapes.h"

namespace dualgpuopt::memory {
namespace {

using testing::mib;

double all_mib(const ModelShape& shape, const KvCacheOptions& options) {
  Bytes sum = 0;
  for (const auto& layer : kv_cache(shape, options)) sum += layer.kv();
  return mib(sum);
}

KvCacheOptions of_context(std::uint64_t tokens) {
  KvCacheOptions options;
  options.context = tokens;
  return options;
}

TEST(KvCache, IsWhatLogsPrint) {
  EXPECT_EQ(all_mib(testing::llama3_8b().shape, of_context(8192)), 1024);
  EXPECT_EQ(all_mib(testing::qwen3_235b().shape, of_context(32768)), 6016);
  auto quantised = of_context(32768);
  quantised.key_type = quantised.value_type = *tensor_type("q8_0");
  EXPECT_EQ(all_mib(testing::qwen3_235b().shape, quantised), 3196);
}

TEST(KvCache, OfLatentAttentionDependsOnHowItIsKept) {
  const auto shape = testing::deepseek_r1().shape;
  auto options = of_context(512);
  options.latent = LatentCache::Expanded;
  EXPECT_EQ(all_mib(shape, options), 2440);
  options.context = 16384;
  options.latent = LatentCache::KeyOnly;
  EXPECT_EQ(all_mib(shape, options), 1098);
  options.latent = LatentCache::KeyAndValue;
  EXPECT_EQ(all_mib(shape, options), 2074);
}

TEST(KvCache, OfWindowsHoldsTheWindowAndAMicroBatch) {
  KvCacheOptions options = of_context(8192);
  EXPECT_EQ(cache_cells(LayerCache::Window, 128, options), 768U) << "128 + 512, padded";
  EXPECT_EQ(cache_cells(LayerCache::Full, 128, options), 8192U);
  options.sequences = 4;
  options.micro_batch = 2048;
  EXPECT_EQ(cache_cells(LayerCache::Window, 1024, options), 6144U);
  options.unified = false;
  EXPECT_EQ(cache_cells(LayerCache::Window, 1024, options), 4 * 2048U) << "each of four parts, no longer than it is";
  options.micro_batch = 512;
  EXPECT_EQ(cache_cells(LayerCache::Window, 1024, options), 4 * 1536U) << "with room for a micro-batch in each";
  options.full_window = true;
  EXPECT_EQ(cache_cells(LayerCache::Window, 1024, options), 8192U);
  EXPECT_EQ(cache_cells(LayerCache::Window, 128, of_context(512)), 512U) << "never more than the context";
}

TEST(KvCache, IsPadded) {
  EXPECT_EQ(cache_cells(LayerCache::Full, 0, of_context(1)), 256U);
  auto old = of_context(1);
  old.padding = 32;
  EXPECT_EQ(cache_cells(LayerCache::Full, 0, old), 32U);
  auto slots = of_context(8192);
  slots.sequences = 3;
  slots.unified = false;
  EXPECT_EQ(cache_cells(LayerCache::Full, 0, slots), 3 * 2816U) << "each sequence's part is padded";
}

TEST(KvCache, HasAKeyMoreForSparseAttention) {
  auto shape = testing::deepseek_r1().shape;
  const auto plain = kv_cache(shape, of_context(4096)).at(0).keys;
  shape.layers[0].indexer_length = 128;
  EXPECT_EQ(kv_cache(shape, of_context(4096)).at(0).keys - plain, 4096U * 128 * 2);
  auto without = of_context(4096);
  without.indexers = false;
  EXPECT_EQ(kv_cache(shape, without).at(0).keys, plain);
}

TEST(KvCache, OfRecurrentLayersIsAStateForEachSequence) {
  ModelShape shape;
  shape.state = {1, 100, 10, 0, 0};
  shape.layers.resize(1);
  shape.layers[0].cache = LayerCache::State;
  auto options = of_context(100000);
  options.sequences = 3;
  EXPECT_EQ(kv_cache(shape, options).at(0).state, 12000U);
  EXPECT_EQ(kv_cache(shape, options).at(0).kv(), 0U);
}

}  // namespace
}  // namespace dualgpuopt::memory
