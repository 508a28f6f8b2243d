#include "models/hf_layers.h"

#include <gmock/gmock.h>

#include "dualgpuopt/memory/models/model_source.h"

namespace dualgpuopt::memory {
namespace {

std::uint64_t windows_of(const std::string& keys) {
  const auto model =
      parse_hf_config(R"({"hidden_size": 64, "num_hidden_layers": 12, "num_attention_heads": 4, )" + keys + "}");
  return model ? model->shape.count(LayerCache::Window) : 99;
}

TEST(HfLayers, KnowsWhichLayersHaveAWindow) {
  EXPECT_EQ(windows_of(R"("model_type": "mistral", "sliding_window": 4096)"), 12U) << "all, if no layer is named";
  EXPECT_EQ(windows_of(R"("model_type": "mistral", "sliding_window": null)"), 0U);
  EXPECT_EQ(windows_of(R"("model_type": "gemma2", "sliding_window": 4096)"), 6U);
  EXPECT_EQ(windows_of(R"("model_type": "gemma3_text", "sliding_window": 512, "sliding_window_pattern": 3)"), 8U);
  EXPECT_EQ(windows_of(R"("model_type": "llama4_text", "attention_chunk_size": 8192)"), 9U);
  EXPECT_EQ(windows_of(R"("model_type": "exaone4", "sliding_window": 4096, "sliding_window_pattern": "LLLG")"), 9U);
  const std::string qwen = R"("model_type": "qwen2", "sliding_window": 4096, "max_window_layers": 8)";
  EXPECT_EQ(windows_of(qwen), 0U) << "told, and not used";
  EXPECT_EQ(windows_of(qwen + R"(, "use_sliding_window": true)"), 4U);
  EXPECT_EQ(windows_of(R"("layer_types": ["sliding_attention"])"), 0U) << "no window is told";
}

TEST(HfLayers, KnowsWhichLayersHaveExperts) {
  const auto dense = [](const std::string& keys) {
    const auto model = parse_hf_config(
        R"({"hidden_size": 64, "num_hidden_layers": 8, "num_attention_heads": 4, "intermediate_size": 100,
                            "moe_intermediate_size": 10, "num_experts": 4, "num_experts_per_tok": 2, )" +
        keys + "}");
    std::string layers;
    for (const auto& layer : model->shape.layers) layers += layer.feed_forward > 0 ? 'd' : 'e';
    return layers;
  };
  EXPECT_EQ(dense(R"("model_type": "qwen3_moe")"), "eeeeeeee");
  EXPECT_EQ(dense(R"("first_k_dense_replace": 3)"), "dddeeeee");
  EXPECT_EQ(dense(R"("mlp_only_layers": [0, 7])"), "deeeeeed");
  EXPECT_EQ(dense(R"("decoder_sparse_step": 2)"), "dededede");
  EXPECT_EQ(dense(R"("moe_layer_start_index": 1, "moe_layer_interval": 4)"), "dddeddde");
  EXPECT_EQ(dense(R"("expert_layer_period": 4, "expert_layer_offset": 1)"), "dedddedd");
}

TEST(HfLayers, SayWhatTheyDoNotKnow) {
  const auto notes = [](const std::string& types) {
    return parse_hf_config(R"({"model_type": "llama", "dtype": "float16", "hidden_size": 64, "num_hidden_layers": 2,
                               "num_attention_heads": 4, "vocab_size": 9, "layer_types": )" +
                           types + "}")
        ->notes;
  };
  using ::testing::ElementsAre;
  using ::testing::HasSubstr;
  EXPECT_THAT(notes(R"(["full_attention", "full_attention"])"), ::testing::IsEmpty());
  EXPECT_THAT(notes(R"(["full_attention"])"), ElementsAre(HasSubstr("names no type of layer 1")));
  EXPECT_THAT(notes(R"(["full_attention", "fancy"])"), ElementsAre(HasSubstr("\"fancy\" of layer 1 is not known")));
}

/// Lists and patterns of any length cost no more than they are long.
TEST(HfLayers, AreReadInLinearTime) {
  std::string dense = "0";
  for (int i = 1; i < 500'000; ++i) dense += "," + std::to_string(i % 10 + 5000);
  const auto config = R"({"hidden_size": 64, "num_hidden_layers": 4096, "num_attention_heads": 4, "num_experts": 2,
    "hybrid_override_pattern": ")" +
                      std::string(4'000'000, '*') + R"(", "mlp_only_layers": [)" + dense + "]}";
  EXPECT_TRUE(parse_hf_config(config));
}

}  // namespace
}  // namespace dualgpuopt::memory
