#include "models/shape_defaults.h"

#include <gtest/gtest.h>

#include "dualgpuopt/memory/models/model_source.h"

namespace dualgpuopt::memory {
namespace {

TEST(ShapeDefaults, OfAStateThatIsNotTold) {
  EXPECT_EQ(completed_state("qwen35", {}, 6144), (StateShape{4, 6144, 128, 16}));
  EXPECT_EQ(completed_state("qwen35", {4, 8192, 128, 0}, 6144), (StateShape{4, 8192, 128, 16})) << "as told";
  EXPECT_EQ(completed_state("llama", {}, 4096), StateShape{});
  EXPECT_EQ(completed_state("jamba", {4, 8192, 16, 0, 256}), (StateShape{4, 8192, 16, 0, 256})) << "no groups";
}

TEST(ShapeDefaults, OfWindowsAndIntervals) {
  EXPECT_EQ(customary_window("gpt-oss", 24), 128U);
  EXPECT_EQ(customary_window("llama", 32), 0U);
  EXPECT_EQ(customary_attention_interval("qwen35moe"), 4U);
  EXPECT_EQ(customary_attention_interval("llama"), 0U);
}

double billions(const std::string& hparams) {
  const auto model = parse_hparams(hparams);
  return model ? model->weights.parameters / 1e9 : 0;
}

struct Card {
  const char* hparams;
  double billions;
};

/// As model cards and `model params` of llama.cpp have them.
TEST(ShapeDefaults, GiveModelsTheirPublishedParameters) {
  for (const auto& [hparams, published] : {
           Card{R"({"arch": "gpt2", "n_layer": 48, "n_embd": 1600, "n_head": 25, "n_ff": 6400, "n_vocab": 50257})",
                1.56},
           {R"({"arch": "falcon", "n_layer": 32, "n_embd": 4544, "n_head": 71, "n_head_kv": 1, "n_ff": 18176,
                "n_vocab": 65024})",
            7.22},
           {R"({"arch": "starcoder2", "n_layer": 32, "n_embd": 4608, "n_head": 36, "n_head_kv": 4, "n_ff": 18432,
                "n_vocab": 49152})",
            7.17},
           {R"({"arch": "phi2", "n_layer": 32, "n_embd": 2560, "n_head": 32, "n_ff": 10240, "n_vocab": 51200})", 2.78},
           {R"({"arch": "gptneox", "n_layer": 44, "n_embd": 6144, "n_head": 64, "n_ff": 24576, "n_vocab": 50432})",
            20.55},
           {R"({"arch": "llama", "n_layer": 28, "n_embd": 3072, "n_head": 24, "n_head_kv": 8, "n_embd_head_k": 128,
                "n_embd_head_v": 128, "n_ff": 8192, "n_vocab": 128256})",
            3.21},
           {R"({"arch": "phi3", "n_layer": 32, "n_embd": 3072, "n_head": 24, "n_head_kv": 8, "n_ff": 8192,
                "n_vocab": 200064})",
            3.84},
           {R"({"arch": "command-r", "n_layer": 64, "n_embd": 12288, "n_head": 96, "n_head_kv": 8, "n_ff": 33792,
                "n_vocab": 256000})",
            103.81},
           {R"({"arch": "llama", "n_layer": 32, "n_embd": 4096, "n_head": 32, "n_head_kv": 8, "n_ff": 14336,
                "n_vocab": 32000, "n_expert": 8, "n_expert_used": 2})",
            46.7},
           {R"({"arch": "qwen3moe", "n_layer": 48, "n_embd": 2048, "n_head": 32, "n_head_kv": 4, "n_embd_head_k": 128,
                "n_embd_head_v": 128, "n_ff": 6144, "n_vocab": 151936, "n_expert": 128, "n_expert_used": 8})",
            30.53},
           {R"({"arch": "deepseek2", "n_layer": 27, "n_embd": 2048, "n_head": 16, "n_head_kv": 16, "n_embd_head_k": 192,
                "n_embd_head_v": 128, "n_ff": 10944, "n_ff_exp": 1408, "n_vocab": 102400, "n_expert": 64,
                "n_expert_used": 6, "n_lora_kv": 512, "n_rot": 64, "n_expert_shared": 2})",
            15.71},
           {R"({"arch": "deepseek2", "n_layer": 61, "n_embd": 7168, "n_head": 64, "n_head_kv": 1, "n_embd_head_k": 576,
                "n_embd_head_v": 512, "n_ff": 18432, "n_ff_exp": 2048, "n_vocab": 163840, "n_expert": 384,
                "n_expert_used": 8, "n_lora_kv": 512, "n_lora_q": 1536, "n_rot": 64})",
            1026.41},
           {R"({"arch": "llama4", "n_layer": 48, "n_embd": 5120, "n_head": 40, "n_head_kv": 8, "n_ff": 16384,
                "n_ff_exp": 8192, "n_vocab": 202048, "n_expert": 128, "n_expert_used": 1})",
            400.71},
           {R"({"arch": "ernie4_5-moe", "n_layer": 28, "n_embd": 2560, "n_head": 20, "n_head_kv": 4, "n_ff": 12288,
                "n_ff_exp": 1536, "n_vocab": 103424, "n_expert": 64, "n_expert_used": 6})",
            21.83},
           {R"({"arch": "minimax-m2", "n_layer": 62, "n_embd": 3072, "n_head": 48, "n_head_kv": 8, "n_embd_head_k": 128,
                "n_embd_head_v": 128, "n_ff": 1536, "n_vocab": 200064, "n_expert": 256, "n_expert_used": 8})",
            228.69},
       }) {
    EXPECT_NEAR(billions(hparams), published, 0.005 * published) << hparams;
  }
}

TEST(ShapeDefaults, LeaveOutWhatIsNotLoaded) {
  const auto model = parse_hparams(R"({"arch": "glm4moe", "n_layer": 47, "n_embd": 4096, "n_head": 96, "n_head_kv": 8,
    "n_embd_head_k": 128, "n_embd_head_v": 128, "n_ff": 10944, "n_ff_exp": 1408, "n_vocab": 151552, "n_expert": 128,
    "n_expert_used": 8})");
  ASSERT_TRUE(model);
  EXPECT_EQ(model->shape.unloaded_layers, 1U);
  EXPECT_EQ(model->shape.count(LayerCache::Full), 46U) << "of GLM 4.5 Air";
  EXPECT_EQ(model->shape.layers.front().feed_forward, 10944U);
  EXPECT_EQ(model->shape.experts.shared_feed_forward, 1408U);
}

TEST(ShapeDefaults, HaveKeysOfSparseAttention) {
  ModelShape shape;
  shape.architecture = "glm-dsa";
  std::uint64_t with_indexer = 0;
  for (std::uint64_t i = 0; i < 78; ++i) with_indexer += customary_indexer_length(shape, i) > 0 ? 1 : 0;
  EXPECT_EQ(with_indexer, 21U) << "of GLM 5.2, as published";
  shape.context = 202752;
  EXPECT_EQ(customary_indexer_length(shape, 4), 128U) << "GLM 5.1 has it in all";
  shape.architecture = "deepseek2";
  EXPECT_EQ(customary_indexer_length(shape, 4), 0U);
}

TEST(ShapeDefaults, ShareCachesInSmallGemmas) {
  const auto model = parse_hparams(R"({"arch": "gemma4", "n_layer": 42, "n_embd": 2560, "n_head": 8, "n_head_kv": 2})");
  ASSERT_TRUE(model);
  EXPECT_EQ(model->shape.count(LayerCache::None), 18U);
  EXPECT_EQ(model->shape.window, 512U);
}

}  // namespace
}  // namespace dualgpuopt::memory
