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

double billions(const std::string& config) {
  const auto model = parse_hf_config(config);
  return model ? model->weights.parameters / 1e9 : 0;
}

constexpr const char* kJamba = R"({"model_type": "jamba", "hidden_size": 4096, "intermediate_size": 14336,
  "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "attn_layer_period": 8,
  "attn_layer_offset": 4, "expert_layer_period": 2, "expert_layer_offset": 1, "num_experts": 16,
  "num_experts_per_tok": 2, "mamba_d_conv": 4, "mamba_d_state": 16, "mamba_dt_rank": "auto", "mamba_expand": 2,
  "sliding_window": null, "vocab_size": 65536, "tie_word_embeddings": false})";

TEST(HfConfig, KnowsHybrids) {
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

TEST(HfConfig, KnowsLayersOfOnePartEach) {
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
TEST(HfConfig, GivesHybridsAndOthersTheirPublishedParameters) {
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

std::uint64_t windows_of(const std::string& keys) {
  const auto model =
      parse_hf_config(R"({"hidden_size": 64, "num_hidden_layers": 12, "num_attention_heads": 4, )" + keys + "}");
  return model ? model->shape.count(LayerCache::Window) : 99;
}

TEST(HfConfig, KnowsWhichLayersHaveAWindow) {
  EXPECT_EQ(windows_of(R"("model_type": "mistral", "sliding_window": 4096)"), 12U) << "all, if no layer is named";
  EXPECT_EQ(windows_of(R"("model_type": "mistral", "sliding_window": null)"), 0U);
  EXPECT_EQ(windows_of(R"("model_type": "gemma2", "sliding_window": 4096)"), 6U);
  EXPECT_EQ(windows_of(R"("model_type": "gemma3_text", "sliding_window": 512, "sliding_window_pattern": 3)"), 8U);
  EXPECT_EQ(windows_of(R"("model_type": "llama4_text", "attention_chunk_size": 8192)"), 9U);
  const std::string qwen = R"("model_type": "qwen2", "sliding_window": 4096, "max_window_layers": 8)";
  EXPECT_EQ(windows_of(qwen), 0U) << "told, and not used";
  EXPECT_EQ(windows_of(qwen + R"(, "use_sliding_window": true)"), 4U);
  EXPECT_EQ(windows_of(R"("layer_types": ["sliding_attention"])"), 0U) << "no window is told";
}

TEST(HfConfig, KnowsWhichLayersHaveExperts) {
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

std::vector<std::string> notes_of(const std::string& keys) {
  return parse_hf_config(R"({"hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4, )" + keys + "}")
      ->notes;
}

TEST(HfConfig, SaysWhatItAssumes) {
  using ::testing::ElementsAre;
  using ::testing::IsEmpty;
  EXPECT_THAT(notes_of(R"("model_type": "llama", "torch_dtype": "float16")"), IsEmpty());
  EXPECT_THAT(notes_of(R"("model_type": "llama")"), ElementsAre(HasSubstr("16 bits are assumed")));
  EXPECT_THAT(notes_of(R"("model_type": "whatever", "dtype": "bfloat16")"),
              ElementsAre(HasSubstr("\"whatever\" is not known")));
  EXPECT_THAT(notes_of(R"("model_type": "llama", "dtype": "bfloat16", "quantization_config": {"quant_method": "new"})"),
              ElementsAre(HasSubstr("quantization_config is not known")));
  EXPECT_THAT(notes_of(R"("model_type": "llama", "dtype": "bfloat16", "vision_config": {})"),
              ElementsAre(HasSubstr("\"vision_config\" are not counted")));
}

TEST(HfConfig, RefusesEncodersWithDecoders) {
  const auto refused = parse_hf_config(R"({"model_type": "t5", "is_encoder_decoder": true, "d_model": 512})");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::Unsupported);
  EXPECT_THAT(refused.error().describe(), HasSubstr("encoder-decoder"));
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
