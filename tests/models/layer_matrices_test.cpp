#include "models/layer_matrices.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "models/shapes.h"

namespace dualgpuopt::memory {
namespace {

double elements(const std::vector<LayerMatrix>& matrices, std::string_view name) {
  const auto found = std::find_if(matrices.begin(), matrices.end(), [&](const auto& m) { return m.name == name; });
  return found == matrices.end() ? 0 : found->elements();
}

TEST(LayerMatrices, AreThoseOfALlama) {
  const auto shape = testing::llama3_8b().shape;
  const auto matrices = layer_matrices(shape, shape.layers.front());
  EXPECT_EQ(elements(matrices, "attn_q"), 4096.0 * 4096);
  EXPECT_EQ(elements(matrices, "attn_k"), 4096.0 * 1024) << "8 of 32 heads";
  EXPECT_EQ(elements(matrices, "ffn_down"), 14336.0 * 4096);
  EXPECT_EQ(elements(matrices, "ffn_down_exps"), 0);
}

TEST(LayerMatrices, AreThoseOfExperts) {
  const auto shape = testing::qwen3_235b().shape;
  const auto matrices = layer_matrices(shape, shape.layers.back());
  EXPECT_EQ(elements(matrices, "ffn_up_exps"), 128.0 * 4096 * 1536);
  EXPECT_EQ(elements(matrices, "ffn_gate_inp"), 128.0 * 4096);
  EXPECT_EQ(elements(matrices, "ffn_up_shexp"), 0) << "it shares none";
  const auto of_experts =
      std::count_if(matrices.begin(), matrices.end(), [](const auto& m) { return m.is_of_experts(); });
  EXPECT_EQ(of_experts, 3);
}

TEST(LayerMatrices, CompressLatentAttention) {
  const auto shape = testing::deepseek_r1().shape;
  const auto matrices = layer_matrices(shape, shape.layers.back());
  EXPECT_EQ(elements(matrices, "attn_q_a"), 7168.0 * 1536);
  EXPECT_EQ(elements(matrices, "attn_kv_a_mqa"), 7168.0 * (512 + 64));
  EXPECT_EQ(elements(matrices, "attn_kv_b"), 512.0 * 128 * (128 + 128));
  EXPECT_EQ(elements(matrices, "attn_k"), 0);
}

TEST(LayerMatrices, AreOthersInLayersWithAState) {
  const auto model = parse_hparams(R"({"arch": "qwen35", "n_layer": 64, "n_embd": 5120, "n_head": 24, "n_head_kv": 4,
    "n_embd_head_k": 256, "n_embd_head_v": 256, "n_ff": 17408, "n_vocab": 248320, "file_type": "Q8_0"})");
  ASSERT_TRUE(model);
  const auto with_state = layer_matrices(model->shape, model->shape.layers[0]);
  EXPECT_EQ(elements(with_state, "attn_qkv"), 5120.0 * (2 * 16 * 128 + 6144));
  EXPECT_EQ(elements(with_state, "attn_q"), 0);
  const auto with_attention = layer_matrices(model->shape, model->shape.layers[3]);
  EXPECT_EQ(elements(with_attention, "attn_q"), 2 * 5120.0 * 24 * 256) << "with a gate for each head";
  EXPECT_EQ(elements(with_attention, "attn_qkv"), 0);
}

TEST(LayerMatrices, OfOlderFamiliesHaveNoGateAndOneMatrixForAttention) {
  const auto model = parse_hparams(R"({"arch": "gpt2", "n_layer": 12, "n_embd": 768, "n_head": 12, "n_ff": 3072})");
  ASSERT_TRUE(model);
  const auto matrices = layer_matrices(model->shape, model->shape.layers.front());
  EXPECT_EQ(elements(matrices, "attn_qkv"), 3.0 * 768 * 768);
  EXPECT_EQ(elements(matrices, "attn_q"), 0);
  EXPECT_EQ(elements(matrices, "ffn_gate"), 0);
  EXPECT_EQ(elements(matrices, "ffn_up"), 768.0 * 3072);
}

TEST(LayerMatrices, AddUpToThePublishedNumberOfParameters) {
  EXPECT_NEAR(testing::llama3_8b().weights.parameters / 1e9, 8.03, 0.005);
  EXPECT_NEAR(testing::qwen3_235b().weights.parameters / 1e9, 235.1, 0.2);
  EXPECT_NEAR(testing::deepseek_r1().weights.parameters / 1e9, 671, 1.5);
}

}  // namespace
}  // namespace dualgpuopt::memory
