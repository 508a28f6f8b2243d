#include "models/hf_quantisation.h"

#include <gmock/gmock.h>

#include "dualgpuopt/memory/models/model_source.h"

namespace dualgpuopt::memory {
namespace {

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

TEST(HfQuantisation, KnowsThatQuantisersKeepEmbeddingAndOutput) {
  const double ends = 2 * 152064.0 * 5120 * 2 / 0x1p30;
  const double layers = 13.21e9 / 0x1p30;
  const auto quantised = [](const char* how) { return gibibytes(parse_hf_config(qwen2_14b(how))); };
  EXPECT_NEAR(quantised(R"({"quant_method": "awq", "bits": 4, "group_size": 128})"), 9.49, 0.02 * 9.49 + 0.02)
      << "vLLM prints 9.49 GiB";
  EXPECT_NEAR(quantised(R"({"quant_method": "fp8"})"), ends + layers, 0.05);
  EXPECT_NEAR(quantised(R"({"quant_algo": "NVFP4"})"), ends + layers * 36 / 64, 0.05);
  EXPECT_NEAR(quantised(R"({"quant_method": "bitsandbytes", "load_in_4bit": true})"), ends + layers * 0.5625, 0.05);
  EXPECT_NEAR(quantised(R"({"load_in_4bit": true, "bnb_4bit_use_double_quant": true})"), ends + layers * 0.5156, 0.05);
  EXPECT_NEAR(quantised(R"({"quant_method": "bitsandbytes", "load_in_8bit": true})"), ends + layers, 0.05);
  EXPECT_NEAR(quantised(R"({"quant_method": "fbgemm_fp8"})"), ends + layers, 0.05);
  EXPECT_NEAR(quantised(R"({"config_groups": {"a": {"weights": {"num_bits": 4, "type": "float", "group_size": 16}}}})"),
              ends + layers * 36 / 64, 0.05);
  EXPECT_NEAR(quantised(R"({"bits": 4, "group_size": 0.001})"), ends + layers / 2, 0.05) << "no group";
  EXPECT_NEAR(
      quantised(
          R"({"quant_method": "compressed-tensors", "config_groups": {"group_0": {"weights": {"num_bits": 8}}}})"),
      ends + layers, 0.05);
  EXPECT_NEAR(quantised(R"({"quant_method": "unheard of"})"), ends + 2 * layers, 0.05);
}

TEST(HfQuantisation, MayBeToldOfTheLanguagePart) {
  const auto model =
      parse_hf_config(R"({"model_type": "x", "text_config": )" + qwen2_14b(R"({"quant_method": "fp8"})") + "}");
  EXPECT_NEAR(gibibytes(model), 2 * 152064.0 * 5120 * 2 / 0x1p30 + 13.21e9 / 0x1p30, 0.05);
}

TEST(HfQuantisation, KnowsThatMxfp4IsOfExpertsAlone) {
  const auto model = parse_hf_config(R"({"model_type": "gpt_oss", "hidden_size": 2880, "num_hidden_layers": 24,
    "num_attention_heads": 64, "num_key_value_heads": 8, "head_dim": 64, "intermediate_size": 2880, "vocab_size": 201088,
    "num_local_experts": 32, "experts_per_token": 4, "quantization_config": {"quant_method": "mxfp4"}})");
  ASSERT_TRUE(model) << model.error().describe();
  EXPECT_NEAR(static_cast<double>(model->weights.in_file()) / 1e9, 13.76, 0.1) << "gpt-oss 20b, as published";
}

}  // namespace
}  // namespace dualgpuopt::memory
