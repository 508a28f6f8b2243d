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

std::vector<std::string> notes_of(const std::string& keys) {
  return parse_hf_config(R"({"hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4, "vocab_size": 9, )" +
                         keys + "}")
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
  EXPECT_THAT(refused.error().describe(), HasSubstr("has an encoder"));
}

TEST(HfConfig, NamesTheKeyThatIsWrong) {
  EXPECT_THAT(parse_hf_config("[]").error().describe(), HasSubstr("not a JSON object"));
  EXPECT_THAT(parse_hf_config("{}").error().describe(), HasSubstr("the key \"hidden_size\" is missing"));
  EXPECT_THAT(parse_hf_config(R"({"hidden_size": 64, "num_hidden_layers": 2})").error().describe(),
              HasSubstr("the key \"num_attention_heads\" is missing"));
}

TEST(HfModel, OfSafetensorsAloneSaysWhatIsMissing) {
  const TemporaryFile weights("model.safetensors");
  std::ofstream(weights.path()) << "12345678";
  EXPECT_THAT(load_hf_model(weights.path()).error().describe(),
              HasSubstr("config.json: there is no such file, which tells the model's dimensions"));
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
  std::ofstream(config.path()) << R"({"model_type": "zebra", "hidden_size": 64, "num_hidden_layers": 1,
    "num_attention_heads": 4, "vocab_size": 9, "layer_types": ["fancy"]})";
  EXPECT_THAT(load_hf_model(config.folder())->notes,
              ::testing::ElementsAre(HasSubstr("\"fancy\" of layer 0"), HasSubstr("\"zebra\" is not known")))
      << "what is assumed of the dimensions, and not of the weights, which are told";
}

}  // namespace
}  // namespace dualgpuopt::memory
