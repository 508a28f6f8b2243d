#include <gmock/gmock.h>

#include <fstream>

#include "dualgpuopt/memory/models/model_source.h"
#include "models/gguf_writer.h"
#include "models/shapes.h"

namespace dualgpuopt::memory {
namespace {

using ::testing::HasSubstr;
using testing::mib;
using testing::TemporaryFile;

/// Of Qwen2-7B-Instruct, as published.
const std::string kQwen2 = R"({"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_size": 3584,
  "intermediate_size": 18944, "max_position_embeddings": 32768, "num_attention_heads": 28, "num_hidden_layers": 28,
  "num_key_value_heads": 4, "sliding_window": 131072, "use_sliding_window": false, "tie_word_embeddings": false,
  "torch_dtype": "bfloat16", "vocab_size": 152064})";

TEST(HfConfig, TellsTheShapeAndTheWeights) {
  const auto model = parse_hf_config(kQwen2);
  ASSERT_TRUE(model) << model.error().describe();
  EXPECT_EQ(model->shape.architecture, "qwen2");
  EXPECT_EQ(model->shape.layers.size(), 28U);
  EXPECT_EQ(model->shape.layers[0].key_length, 128U);
  EXPECT_EQ(model->shape.window, 0U) << "it is not used";
  EXPECT_NEAR(mib(model->weights.in_file()), 14525.6, 1) << "7,615,616,512 parameters of two bytes";
}

TEST(HfConfig, KnowsExpertsAndLatentAttention) {
  const auto model = parse_hf_config(R"({"model_type": "deepseek_v3", "hidden_size": 7168, "num_hidden_layers": 61,
    "num_attention_heads": 128, "num_key_value_heads": 128, "intermediate_size": 18432, "moe_intermediate_size": 2048,
    "n_routed_experts": 256, "num_experts_per_tok": 8, "n_shared_experts": 1, "first_k_dense_replace": 3, "kv_lora_rank": 512,
    "q_lora_rank": 1536, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128, "vocab_size": 129280,
    "quantization_config": {"quant_method": "fp8"}})");
  ASSERT_TRUE(model) << model.error().describe();
  EXPECT_EQ(model->shape.architecture, "deepseek2");
  EXPECT_EQ(model->shape.layers[0].key_length, 192U);
  EXPECT_EQ(model->shape.layers[2].feed_forward, 18432U);
  EXPECT_EQ(model->shape.layers[3].feed_forward, 0U);
  EXPECT_EQ(model->shape.experts, (ExpertShape{256, 8, 2048, 2048}));
  EXPECT_NEAR(static_cast<double>(model->weights.in_file()) / 1e9, 671, 3) << "671 billion parameters of one byte";
}

/// DeepSeek R1's distillate in Qwen 2.5 14B.
std::string qwen2_14b(const std::string& quantisation) {
  return R"({"model_type": "qwen2", "hidden_size": 5120, "intermediate_size": 13824, "num_attention_heads": 40,
    "num_hidden_layers": 48, "num_key_value_heads": 8, "tie_word_embeddings": false, "vocab_size": 152064,
    "quantization_config": )" +
         quantisation + "}";
}

double gibibytes(const Result<Model>& model) {
  return model ? static_cast<double>(model->weights.in_file()) / 0x1p30 : 0;
}

TEST(HfConfig, KnowsThatQuantisersKeepEmbeddingAndOutput) {
  const double ends = 2 * 152064.0 * 5120 * 2 / 0x1p30;
  const double layers = 13.21e9 / 0x1p30;
  const auto quantised = [](const char* how) { return gibibytes(parse_hf_config(qwen2_14b(how))); };
  EXPECT_NEAR(quantised(R"({"quant_method": "awq", "bits": 4, "group_size": 128})"), 9.49, 0.02 * 9.49 + 0.02)
      << "vLLM prints 9.49 GiB";
  EXPECT_NEAR(quantised(R"({"quant_method": "fp8"})"), ends + layers, 0.05);
  EXPECT_NEAR(quantised(R"({"quant_algo": "NVFP4"})"), ends + layers * 36 / 64, 0.05);
  EXPECT_NEAR(quantised(R"({"quant_method": "bitsandbytes", "load_in_4bit": true})"), ends + layers * 0.5156, 0.05);
  EXPECT_NEAR(
      quantised(
          R"({"quant_method": "compressed-tensors", "config_groups": {"group_0": {"weights": {"num_bits": 8}}}})"),
      ends + layers, 0.05);
  EXPECT_NEAR(quantised(R"({"quant_method": "unheard of"})"), ends + 2 * layers, 0.05);
}

TEST(HfConfig, KnowsThatMxfp4IsOfExpertsAlone) {
  const auto model = parse_hf_config(R"({"model_type": "gpt_oss", "hidden_size": 2880, "num_hidden_layers": 24,
    "num_attention_heads": 64, "num_key_value_heads": 8, "head_dim": 64, "intermediate_size": 2880, "vocab_size": 201088,
    "num_local_experts": 32, "experts_per_token": 4, "quantization_config": {"quant_method": "mxfp4"}})");
  ASSERT_TRUE(model) << model.error().describe();
  EXPECT_NEAR(static_cast<double>(model->weights.in_file()) / 1e9, 13.76, 0.1) << "gpt-oss 20b, as published";
}

TEST(HfConfig, KnowsWindowsAndTheLanguagePartOfModelsWithEyes) {
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

TEST(HfConfig, KnowsTheNamesOfOlderFamilies) {
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
  EXPECT_NEAR(falcon->weights.parameters, 7.22e9, 0.05e9);
}

TEST(HfConfig, NamesTheKeyThatIsWrong) {
  EXPECT_THAT(parse_hf_config("[]").error().describe(), HasSubstr("not a JSON object"));
  EXPECT_THAT(parse_hf_config("{}").error().describe(), HasSubstr("the key \"hidden_size\" is missing"));
  EXPECT_THAT(parse_hf_config(R"({"hidden_size": 64, "num_hidden_layers": 2})").error().describe(),
              HasSubstr("the key \"num_attention_heads\" is missing"));
}

TEST(HfModel, IsAFolderWithOrWithoutWeights) {
  const TemporaryFile config("config.json");
  EXPECT_THAT(load_hf_model(config.folder()).error().describe(), HasSubstr("config.json: there is no such file"));
  std::ofstream(config.path()) << kQwen2;
  const auto without = load_hf_model(config.folder());
  ASSERT_TRUE(without) << without.error().describe();
  EXPECT_TRUE(without->weights.is_estimate);
  const std::string header = R"({"model.layers.0.x.weight":{"dtype":"BF16","shape":[5],"data_offsets":[0,10]}})";
  const std::uint64_t length = header.size();
  std::ofstream weights(config.folder() / "model.safetensors", std::ios::binary);
  weights.write(reinterpret_cast<const char*>(&length), sizeof(length)) << header << "0123456789";
  weights.close();
  for (const auto& path : {config.folder(), config.folder() / "model.safetensors"}) {
    const auto with = load_hf_model(path);
    ASSERT_TRUE(with) << with.error().describe();
    EXPECT_FALSE(with->weights.is_estimate);
    EXPECT_EQ(with->weights.in_file(), 10U);
    EXPECT_EQ(with->weights.layers.size(), 28U);
  }
  EXPECT_TRUE(load_hf_model(config.path())->weights.is_estimate) << "only the configuration was asked for";
}

}  // namespace
}  // namespace dualgpuopt::memory
