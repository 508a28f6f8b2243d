#include "dualgpuopt/memory/models/vllm.h"

#include <gmock/gmock.h>

#include "models/shapes.h"

namespace dualgpuopt::memory {
namespace {

using ::testing::HasSubstr;

/// Qwen2-7B-Instruct.
Model qwen2_7b() {
  return *parse_hf_config(
      R"({"model_type": "qwen2", "hidden_size": 3584, "intermediate_size": 18944, "num_attention_heads": 28,
    "num_hidden_layers": 28, "num_key_value_heads": 4, "tie_word_embeddings": false, "vocab_size": 152064})");
}

VllmOptions on(Bytes total, double utilization = 0.9, std::uint64_t parallel = 1) {
  VllmOptions options;
  options.total = total;
  options.utilization = utilization;
  options.parallel = parallel;
  options.context = 16384;
  return options;
}

TEST(Vllm, HoldsAsManyTokensAsItsLogsPrint) {
  // vLLM 0.10.1 printed 24.83 GiB for 464,848 tokens on one GPU, and 11.03 GiB for 412,944 on each of two.
  EXPECT_EQ(vllm_need(qwen2_7b(), on(80_GiB)).bytes_per_token, 57344U);
  EXPECT_NEAR(464848.0 * 57344 / 0x1p30, 24.83, 0.005);
  EXPECT_EQ(vllm_need(qwen2_7b(), on(80_GiB, 0.9, 2)).bytes_per_token, 28672U);
  EXPECT_NEAR(412944.0 * 28672 / 0x1p30, 11.03, 0.005);
}

TEST(Vllm, TakesItsShareOfTheGpuAndNoMore) {
  const auto need = vllm_need(qwen2_7b(), on(80_GiB, 0.5));
  EXPECT_EQ(need.budget, 40_GiB);
  EXPECT_EQ(need.weights + need.activations + need.outside + need.cache, need.budget);
  EXPECT_EQ(need.tokens % 16, 0U);
  EXPECT_NEAR(need.concurrency(16384), static_cast<double>(need.tokens) / 16384, 1e-9);
  // Printed: 24.83 GiB of cache on an A100 with 79.15 GiB.
  EXPECT_NEAR(static_cast<double>(vllm_need(qwen2_7b(), on(Bytes{79} << 30, 0.5)).cache) / 0x1p30, 24.83, 1.5);
}

TEST(Vllm, HasNoCacheWhereTheWeightsAreTooLarge) {
  const auto need = vllm_need(qwen2_7b(), on(8_GiB));
  EXPECT_EQ(need.cache, 0U);
  EXPECT_EQ(need.tokens, 0U);
}

TEST(Vllm, KeepsALatentCacheWholeOnEachGpu) {
  const auto one = vllm_need(testing::deepseek_r1(), on(141_GiB));
  const auto eight = vllm_need(testing::deepseek_r1(), on(141_GiB, 0.9, 8));
  EXPECT_EQ(one.bytes_per_token, 61U * 576 * 2);
  EXPECT_EQ(eight.bytes_per_token, one.bytes_per_token);
  EXPECT_EQ(eight.weights, one.weights / 8);
}

TEST(Vllm, KeepsTheAnglesOfEveryPosition) {
  auto model = qwen2_7b();
  const auto without = vllm_need(model, on(80_GiB, 0.9, 2)).weights;
  model.shape.context = 32768;
  EXPECT_EQ(vllm_need(model, on(80_GiB, 0.9, 2)).weights - without, 32768U * 128 * 2) << "whole on each";
}

TEST(Vllm, KeepsTheExpertsOfEachTokenSideBySide) {
  auto options = on(80_GiB, 0.9, 4);
  options.batched_tokens = 8192;
  const auto before = vllm_need(testing::qwen3_235b(), options).activations;
  options.batched_tokens = 16384;
  const double each = static_cast<double>(vllm_need(testing::qwen3_235b(), options).activations - before) / 8192;
  EXPECT_EQ(each, 2.0 * (8 * (4096 + 1536 / 4) + 4 * 4096)) << "the way down is wider than gate and up";
}

TEST(VllmOptions, AreChecked) {
  EXPECT_TRUE(on(1_GiB).validate());
  EXPECT_THAT(on(0).validate().error().describe(), HasSubstr("--gpus"));
  EXPECT_THAT(on(1_GiB, 0).validate().error().describe(), HasSubstr("utilization is 0"));
  EXPECT_THAT(on(1_GiB, 1.1).validate().error().describe(), HasSubstr("utilization is 1.1"));
  EXPECT_THAT(on(1_GiB, 0.9, 0).validate().error().describe(), HasSubstr("at least 1"));
}

}  // namespace
}  // namespace dualgpuopt::memory
