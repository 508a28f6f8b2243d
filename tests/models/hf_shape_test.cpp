#include "models/hf_shape.h"

#include <gmock/gmock.h>

#include "dualgpuopt/memory/models/model_source.h"

namespace dualgpuopt::memory {
namespace {

TEST(HfShape, KnowsWindowsAndTheLanguagePartOfModelsWithEyes) {
  const auto model =
      parse_hf_config(R"({"model_type": "gemma3", "text_config": {"model_type": "gemma3_text", "hidden_size": 64,
    "num_hidden_layers": 3, "num_attention_heads": 4, "head_dim": 32, "sliding_window": 512,
    "layer_types": ["sliding_attention", "full_attention", "linear_attention"]}})");
  ASSERT_TRUE(model) << model.error().describe();
  EXPECT_EQ(model->shape.layers[0].cache, LayerCache::Window);
  EXPECT_EQ(model->shape.layers[1].cache, LayerCache::Full);
  EXPECT_EQ(model->shape.layers[2].cache, LayerCache::State);
  EXPECT_EQ(model->shape.layers[0].key_length, 32U);
  EXPECT_TRUE(model->weights.tied) << "as all of that family";
}

TEST(HfShape, FindsTheLanguagePart) {
  const std::string part =
      R"({"model_type": "qwen2", "hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4})";
  for (const std::string name : {"text_config", "llm_config", "language_config"}) {
    const auto inner = R"({"hidden_size": 9, ")" + name + "\": " + part + "}";
    for (const auto& config : {inner, R"({"thinker_config": )" + inner + "}"}) {
      const auto model = parse_hf_config(config);
      ASSERT_TRUE(model) << config;
      EXPECT_EQ(model->shape.layers.size(), 3U);
    }
  }
}

TEST(HfShape, KnowsTheNamesOfOlderFamilies) {
  const auto gpt2 = parse_hf_config(R"({"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12,
                                        "n_positions": 1024, "n_inner": null, "vocab_size": 50257})");
  ASSERT_TRUE(gpt2) << gpt2.error().describe();
  EXPECT_EQ(gpt2->shape.context, 1024U);
  EXPECT_EQ(gpt2->shape.layers.at(0).feed_forward, 3072U);
  EXPECT_NEAR(gpt2->weights.parameters, 124.4e6, 1.5e6) << "as its authors count; positions are not counted here";

  const auto falcon = parse_hf_config(R"({"model_type": "falcon", "hidden_size": 4544, "num_hidden_layers": 32,
                                          "num_attention_heads": 71, "multi_query": true, "vocab_size": 65024})");
  ASSERT_TRUE(falcon) << falcon.error().describe();
  EXPECT_EQ(falcon->shape.layers.at(0).kv_heads, 1U);
  EXPECT_NEAR(falcon->weights.parameters, 6.92e9, 0.05e9) << "its class shares embedding and output";
}

double billions(const std::string& config) {
  const auto model = parse_hf_config(config);
  return model ? model->weights.parameters / 1e9 : 0;
}

constexpr const char* kJamba = R"({"model_type": "jamba", "hidden_size": 4096, "intermediate_size": 14336,
  "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "attn_layer_period": 8,
  "attn_layer_offset": 4, "expert_layer_period": 2, "expert_layer_offset": 1, "num_experts": 16,
  "num_experts_per_tok": 2, "mamba_d_conv": 4, "mamba_d_state": 16, "mamba_dt_rank": "auto", "mamba_expand": 2,
  "sliding_window": null, "vocab_size": 65536, "tie_word_embeddings": false})";

TEST(HfShape, KnowsHybrids) {
  const auto jamba = parse_hf_config(kJamba);
  ASSERT_TRUE(jamba) << jamba.error().describe();
  EXPECT_EQ(jamba->shape.count(LayerCache::State), 28U);
  EXPECT_EQ(jamba->shape.layers[4].cache, LayerCache::Full);
  EXPECT_EQ(jamba->shape.state, (StateShape{4, 8192, 16, 0, 256}));
  EXPECT_EQ(jamba->shape.layers[0].feed_forward, 14336U) << "experts are in each second layer";
  EXPECT_EQ(jamba->shape.layers[1].feed_forward, 0U);
  EXPECT_NEAR(jamba->weights.parameters / 1e9, 51.57, 0.2) << "as published";
  const auto listed = parse_hf_config(R"({"model_type": "bamba", "hidden_size": 4096, "num_hidden_layers": 32,
    "num_attention_heads": 32, "intermediate_size": 14336, "attn_layer_indices": [9, 18, 27], "mamba_d_state": 128})");
  ASSERT_TRUE(listed) << listed.error().describe();
  EXPECT_EQ(listed->shape.count(LayerCache::Full), 3U);
}

TEST(HfShape, KnowsLayersOfOnePartEach) {
  const auto model = parse_hf_config(R"({"model_type": "nemotron_h", "hidden_size": 4096, "num_hidden_layers": 52,
    "hybrid_override_pattern": "M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M-", "intermediate_size": 21504,
    "num_attention_heads": 32, "num_key_value_heads": 8, "attention_head_dim": 128, "mamba_num_heads": 128,
    "mamba_head_dim": 64, "ssm_state_size": 128, "n_groups": 8, "conv_kernel": 4, "vocab_size": 131072,
    "tie_word_embeddings": false})");
  ASSERT_TRUE(model) << model.error().describe();
  EXPECT_EQ(model->shape.count(LayerCache::Full), 4U);
  EXPECT_EQ(model->shape.count(LayerCache::State), 24U);
  EXPECT_EQ(model->shape.layers[0].feed_forward, 0U);
  EXPECT_EQ(model->shape.layers[1].heads, 0U);
  EXPECT_NEAR(model->weights.parameters / 1e9, 8.10, 0.05) << "Nemotron H 8B, as published";
}

/// As the models' cards have them.
TEST(HfShape, GivesHybridsAndOthersTheirPublishedParameters) {
  std::string types;
  for (int i = 0; i < 40; ++i) types += i % 10 == 5 ? R"("attention",)" : R"("mamba",)";
  EXPECT_NEAR(billions(R"({"model_type": "granitemoehybrid", "hidden_size": 1536, "num_hidden_layers": 40,
    "num_attention_heads": 12, "num_key_value_heads": 4, "intermediate_size": 512, "shared_intermediate_size": 1024,
    "num_local_experts": 64, "num_experts_per_tok": 6, "mamba_d_conv": 4, "mamba_d_state": 128, "mamba_expand": 2,
    "mamba_n_groups": 1, "vocab_size": 100352, "tie_word_embeddings": true, "layer_types": [)" +
                       types + "null]}"),
              6.94, 0.07)
      << "Granite 4.0 H tiny";
  EXPECT_NEAR(billions(R"({"model_type": "falcon_mamba", "hidden_size": 4096, "num_hidden_layers": 64,
    "intermediate_size": 8192, "state_size": 16, "conv_kernel": 4, "time_step_rank": 256, "vocab_size": 65024,
    "tie_word_embeddings": false})"),
              7.27, 0.03)
      << "Falcon Mamba 7B";
  EXPECT_NEAR(billions(R"({"model_type": "llama4", "text_config": {"model_type": "llama4_text", "hidden_size": 5120,
    "num_hidden_layers": 48, "num_attention_heads": 40, "num_key_value_heads": 8, "head_dim": 128,
    "intermediate_size": 8192, "intermediate_size_mlp": 16384, "interleave_moe_layer_step": 1, "num_local_experts": 16,
    "num_experts_per_tok": 1, "vocab_size": 202048, "attention_chunk_size": 8192, "tie_word_embeddings": false}})"),
              107.77, 0.3)
      << "Llama 4 Scout, without its eyes";
  EXPECT_NEAR(billions(R"({"model_type": "opt", "hidden_size": 4096, "ffn_dim": 16384, "num_hidden_layers": 32,
    "num_attention_heads": 32, "vocab_size": 50272, "max_position_embeddings": 2048})"),
              6.66, 0.02)
      << "OPT 6.7B";
  EXPECT_NEAR(billions(R"({"model_type": "gemma3", "text_config": {"model_type": "gemma3_text", "hidden_size": 2560,
    "intermediate_size": 10240, "num_hidden_layers": 34, "sliding_window": 1024}})"),
              3.88, 0.04)
      << "Gemma 3 4B, which tells no heads";
}

TEST(HfShape, KnowsExpertsInLayersOfTheirOwn) {
  EXPECT_NEAR(billions(R"({"model_type": "nemotron_h", "hidden_size": 2688, "num_hidden_layers": 52,
    "hybrid_override_pattern": "MEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEMEM*EMEMEMEME", "intermediate_size": 1856,
    "num_attention_heads": 32, "num_key_value_heads": 2, "head_dim": 128, "mamba_num_heads": 64, "mamba_head_dim": 64,
    "ssm_state_size": 128, "n_groups": 8, "conv_kernel": 4, "vocab_size": 131072, "n_routed_experts": 128,
    "num_experts_per_tok": 6, "n_shared_experts": 1, "moe_intermediate_size": 1856,
    "moe_shared_expert_intermediate_size": 3712, "tie_word_embeddings": false})"),
              31.6, 0.2)
      << "Nemotron 3 Nano 30B A3B";
}

/// Gemma 4 26B A4B.
const std::string kGemma4 = R"({"model_type": "gemma4_text", "hidden_size": 2816, "intermediate_size": 2112,
  "num_hidden_layers": 30, "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 256, "global_head_dim": 512,
  "num_global_key_value_heads": 2, "sliding_window": 1024, "vocab_size": 262144, "num_experts": 128,
  "top_k_experts": 8, "moe_intermediate_size": 704, "tie_word_embeddings": true)";

TEST(HfShape, KnowsOtherHeadsWhereAllTokensAreKept) {
  const auto model = parse_hf_config(kGemma4 + "}");
  ASSERT_TRUE(model) << model.error().describe();
  EXPECT_EQ(model->shape.layers[0].key_length, 256U);
  EXPECT_EQ(model->shape.layers[0].kv_heads, 8U);
  EXPECT_EQ(model->shape.layers[5].key_length, 512U);
  EXPECT_EQ(model->shape.layers[5].kv_heads, 2U);
  EXPECT_EQ(model->shape.experts, (ExpertShape{128, 8, 704, 2112})) << "a dense part beside the experts";
  EXPECT_NEAR(model->weights.parameters / 1e9, 25.2, 0.2);
  const auto shared = parse_hf_config(kGemma4 + R"(, "num_kv_shared_layers": 10})");
  EXPECT_EQ(shared->shape.count(LayerCache::None), 10U);
}

/// As the models' cards have them, or arithmetic on what is published.
TEST(HfShape, KnowsTheNamesOfFurtherFamilies) {
  EXPECT_NEAR(billions(R"({"model_type": "dbrx", "d_model": 6144, "n_heads": 48, "n_layers": 40, "vocab_size": 100352,
    "attn_config": {"kv_n_heads": 8}, "ffn_config": {"ffn_hidden_size": 10752, "moe_num_experts": 16, "moe_top_k": 4},
    "tie_word_embeddings": false})"),
              131.6, 0.3);
  EXPECT_NEAR(billions(R"({"model_type": "qwen", "hidden_size": 4096, "intermediate_size": 22016,
    "num_hidden_layers": 32, "num_attention_heads": 32, "vocab_size": 151936})"),
              7.72, 0.02)
      << "the first Qwen 7B";
  EXPECT_NEAR(billions(R"({"model_type": "bloom", "n_embed": 4096, "n_layer": 30, "num_attention_heads": 32,
    "vocab_size": 250880})"),
              7.07, 0.02);
  EXPECT_NEAR(billions(R"({"model_type": "gemma3n_text", "hidden_size": 2048, "hidden_size_per_layer_input": 256,
    "intermediate_size": 16384, "num_hidden_layers": 35, "num_attention_heads": 8, "num_key_value_heads": 2,
    "head_dim": 256, "vocab_size": 262400, "num_kv_shared_layers": 15, "sliding_window": 512})"),
              6.87, 0.1)
      << "Gemma 3n E4B, with the embeddings of its layers";
}

}  // namespace
}  // namespace dualgpuopt::memory
