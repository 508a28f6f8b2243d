#include "dualgpuopt/memory/models/transformers.h"

#include <gtest/gtest.h>

#include "models/shapes.h"

namespace dualgpuopt::memory {
namespace {

using testing::mib;

TransformersOptions load(std::uint64_t batch, std::uint64_t context, std::size_t gpus = 1) {
  TransformersOptions options;
  options.batch = batch;
  options.context = context;
  options.gpus = gpus;
  return options;
}

TEST(Transformers, CachesEveryHeadOfEveryLayer) {
  const auto need = transformers_need(testing::llama3_8b("BF16"), load(2, 8192));
  EXPECT_EQ(mib(need[0].kv_cache), 2 * 1024) << "128 KiB a token";
  EXPECT_NEAR(mib(need[0].weights), 8.03e9 * 2 / (1 << 20), 10);
  EXPECT_EQ(need[0].layers, 32U);
  EXPECT_EQ(need[1].total(), 0U) << "nothing in host memory";
}

TEST(Transformers, ActivationsAreThoseThatPyTorchCounts) {
  // Without gradients PyTorch counts 6 bytes for each element of the feed-forward width and 8 of the embedding's.
  const auto need = transformers_need(testing::llama3_8b("BF16"), load(1, 4096));
  EXPECT_EQ(need[0].compute, 4096U * (6 * 14336 + 8 * 4096));
}

TEST(Transformers, KeepScoresWithoutAFusedKernel) {
  auto options = load(1, 4096);
  const auto fused = transformers_need(testing::llama3_8b(), options)[0].compute;
  options.flash_attention = false;
  EXPECT_EQ(transformers_need(testing::llama3_8b(), options)[0].compute - fused, 6ULL * 32 * 4096 * 4096);
}

TEST(Transformers, DealLayersOutByShares) {
  auto options = load(1, 1024, 2);
  options.split = {3, 1};
  const auto need = transformers_need(testing::llama3_8b("BF16"), options);
  ASSERT_EQ(need.size(), 3U);
  EXPECT_EQ(need[0].layers + need[1].layers, 32U);
  EXPECT_NEAR(static_cast<double>(need[0].layers), 24, 1);
  EXPECT_EQ(need[0].output, 0U);
  EXPECT_GT(need[1].output, 0U) << "the last layer's GPU has the logits";
}

TEST(Transformers, KeepAStateOfEachSequence) {
  const auto model = parse_hf_config(R"({"model_type": "falcon_mamba", "hidden_size": 4096, "num_hidden_layers": 64,
    "intermediate_size": 8192, "state_size": 16, "conv_kernel": 4, "time_step_rank": 256, "vocab_size": 65024})");
  ASSERT_TRUE(model) << model.error().describe();
  const auto need = transformers_need(*model, load(3, 8192));
  EXPECT_EQ(need[0].state, 3U * 64 * 2 * (4 + 16) * 8192);
  EXPECT_EQ(need[0].kv_cache, 0U);
}

TEST(Transformers, WindowsKeepOneTokenLess) {
  const auto model = parse_hf_config(R"({"model_type": "mistral", "hidden_size": 4096, "intermediate_size": 14336,
    "num_hidden_layers": 2, "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 32000,
    "sliding_window": 4096, "layer_types": ["sliding_attention", "full_attention"]})");
  ASSERT_TRUE(model);
  const auto need = transformers_need(*model, load(1, 8192));
  EXPECT_EQ(need[0].kv_cache, 2U * 2 * 1024 * (4095 + 8192));
}

TEST(Transformers, ATiedOutputIsThereOnceOnOneGpu) {
  auto model = testing::llama3_8b("BF16");
  model.weights.tied = true;
  model.weights.output = model.weights.input;
  const auto together = transformers_need(model, load(1, 1024, 1));
  const auto apart = transformers_need(model, load(1, 1024, 2));
  EXPECT_EQ(apart[0].weights + apart[1].weights, together[0].weights + model.weights.input);
}

TEST(Transformers, RefusesNothingToDo) {
  EXPECT_FALSE(load(0, 1).validate());
  EXPECT_FALSE(load(1, 0).validate());
  auto options = load(1, 1, 2);
  options.split = {1};
  EXPECT_FALSE(options.validate());
}

}  // namespace
}  // namespace dualgpuopt::memory
