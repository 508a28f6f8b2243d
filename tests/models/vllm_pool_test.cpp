#include "models/vllm_pool.h"

#include <gtest/gtest.h>

#include "core/format.h"
#include "models/shapes.h"

namespace dualgpuopt::memory {
namespace {

VllmOptions with(std::uint64_t context, std::uint64_t batched_tokens, std::uint64_t parallel = 1) {
  VllmOptions options;
  options.total = 80_GiB;
  options.context = context;
  options.batched_tokens = batched_tokens;
  options.parallel = parallel;
  return options;
}

/// Each sixth layer keeps all tokens, with longer heads, and the others those of a window of 1024.
ModelShape gemma4(std::uint64_t layers, std::uint64_t full_heads, std::uint64_t window_heads) {
  return parse_hf_config(format_text(
                             R"({{"model_type": "gemma4_text", "hidden_size": 2816, "num_hidden_layers": {},
      "num_attention_heads": 16, "num_key_value_heads": {}, "head_dim": 256, "num_global_key_value_heads": {},
      "global_head_dim": 512, "sliding_window": 1024}})",
                             layers, window_heads, full_heads))
      ->shape;
}

double requests(const VllmPool& pool, double cache_gib, std::uint64_t context) {
  return cache_gib * 0x1p30 / static_cast<double>(pool.block) / static_cast<double>(pool.blocks_for(context));
}

TEST(VllmPool, HoldsAsManyRequestsOfModelsWithWindowsAsLogsPrint) {
  // vLLM 0.25.1, Gemma 4 26B A4B: 12.75 GiB, 9.81 requests of 32,768 tokens; an image takes 2496 tokens at once.
  const auto one = vllm_pool(gemma4(30, 2, 8), with(32768, 2496));
  EXPECT_NEAR(requests(one, 12.75, 32768), 9.81, 0.01);
  // Gemma 4 12B on two GPUs with batches of 4096: 8.16 GiB on each, 2.93 requests of 131,072 tokens.
  const auto two = vllm_pool(gemma4(48, 1, 8), with(131072, 4096, 2));
  EXPECT_NEAR(requests(two, 8.16, 131072), 2.93, 0.005);
}

TEST(VllmPool, HasOneGroupWhereAllLayersKeepTheSame) {
  const auto shape = testing::llama3_8b().shape;
  const auto pool = vllm_pool(shape, with(1000, 8192));
  ASSERT_EQ(pool.kinds.size(), 1U);
  EXPECT_EQ(pool.block, 32U * 8 * 256 * 2 * 16);
  EXPECT_EQ(pool.blocks_for(1000), 63U);
}

TEST(VllmPool, KeepsAWindowAndTheBatchOfEveryRequest) {
  auto shape = testing::llama3_8b().shape;  // as Mistral 7B v0.1, whose every layer has a window
  shape.window = 4096;
  for (auto& layer : shape.layers) layer.cache = LayerCache::Window;
  const auto pool = vllm_pool(shape, with(32768, 2048));
  EXPECT_EQ(pool.blocks_for(32768), (4095U + 2048 + 15) / 16 + 1);
  EXPECT_EQ(pool.blocks_for(160), 11U) << "it may begin in the middle of a block";
}

TEST(VllmPool, FillsTheLastGroupUp) {
  const auto groups = [](std::uint64_t full, std::uint64_t windows) {
    auto shape = testing::llama3_8b().shape;
    shape.window = 1024;
    const auto layer = shape.layers.front();
    shape.layers.assign(full + windows, layer);
    for (std::size_t i = full; i < shape.layers.size(); ++i) shape.layers[i].cache = LayerCache::Window;
    std::uint64_t all = 0;
    for (const auto& kind : vllm_pool(shape, with(4096, 2048)).kinds) all += kind.groups;
    return all;
  };
  EXPECT_EQ(groups(16, 14), 2U) << "two groups of 16";
  EXPECT_EQ(groups(9, 14), 3U) << "one group of 9, and two of 9";
  EXPECT_EQ(groups(10, 52), 7U) << "Gemma 3 27B";
}

TEST(VllmPool, MakesBlocksAsLargeAsAState) {
  const auto hybrid = parse_hf_config(R"({"model_type": "jamba", "hidden_size": 4096, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 8, "attn_layer_period": 8, "attn_layer_offset": 4,
    "mamba_d_conv": 4, "mamba_d_state": 16, "mamba_dt_rank": 256, "mamba_expand": 2})");
  ASSERT_TRUE(hybrid);
  const auto pool = vllm_pool(hybrid->shape, with(4096, 8192));
  // A state takes (3 + 16) * 8192 numbers of two bytes, and a token 4096 bytes: blocks of 80 tokens, of four layers.
  EXPECT_EQ(pool.block, 4U * 80 * 4096);
  EXPECT_EQ(pool.blocks_for(4096), 7U + 52) << "28 layers with a state are seven groups";
  EXPECT_EQ(vllm_pool({}, with(4096, 8192)).block, 0U) << "nothing is kept";
}

/// As vLLM 0.10.2 prints it for Qwen 3 Next 80B: "attention block size to 544 tokens".
TEST(VllmPool, MakesBlocksOfQwen3NextAsItsLogPrints) {
  const auto model = parse_hf_config(R"({"model_type": "qwen3_next", "hidden_size": 2048, "num_hidden_layers": 48,
    "num_attention_heads": 16, "num_key_value_heads": 2, "head_dim": 256, "linear_conv_kernel_dim": 4,
    "linear_num_value_heads": 32, "linear_value_head_dim": 128, "linear_num_key_heads": 16, "linear_key_head_dim": 128})");
  ASSERT_TRUE(model) << model.error().describe();
  const auto pool = vllm_pool(model->shape, with(8192, 8192));
  EXPECT_EQ(pool.block, 12U * 544 * 2 * 256 * 2 * 2);
}

}  // namespace
}  // namespace dualgpuopt::memory
