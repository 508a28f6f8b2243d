#include "models/mixture_rules.h"

#include <gtest/gtest.h>

#include "models/shapes.h"

namespace dualgpuopt::memory {
namespace {

double gigabytes(const Model& model) { return static_cast<double>(model.weights.in_file()) / 1e9; }

struct PublishedFile {
  const char* file_type;
  double gigabytes;
};

// Of Meta-Llama-3-8B-Instruct-GGUF, as its model card lists them; 8 MB of each are no tensors.
TEST(MixtureRules, MakeFilesOfThePublishedSizes) {
  for (const auto& [type, size] : {PublishedFile{"Q2_K", 3.18},
                                   {"Q3_K - Small", 3.66},
                                   {"Q3_K - Medium", 4.02},
                                   {"Q3_K - Large", 4.32},
                                   {"IQ1_S", 2.02},
                                   {"IQ1_M", 2.16},
                                   {"IQ2_XXS", 2.40},
                                   {"IQ2_XS", 2.61},
                                   {"IQ2_S", 2.76},
                                   {"IQ2_M", 2.95},
                                   {"IQ3_XXS", 3.27},
                                   {"IQ3_XS", 3.52},
                                   {"IQ3_S", 3.68},
                                   {"IQ3_S mix - 3.66 bpw", 3.78},
                                   {"IQ4_XS", 4.45},
                                   {"IQ4_NL", 4.68},
                                   {"Q4_K - Small", 4.69},
                                   {"Q5_K - Small", 5.60}}) {
    EXPECT_NEAR(gigabytes(testing::llama3_8b(type)), size - 0.008, 0.005 * size) << type;
  }
}

TEST(MixtureRules, SpareNothingOnMixtral) {
  const Quantisation::Place at{4, 32, 4, 8};
  EXPECT_EQ(format_in_mixture("q4_k_m", "q4_k", TensorRole::Value, at), "q8_0");
  EXPECT_EQ(format_in_mixture("q4_k_m", "q4_k", TensorRole::Key, at), "q8_0");
  EXPECT_EQ(format_in_mixture("q4_k_m", "q4_k", TensorRole::AttentionOutput, at), "q5_k");
  EXPECT_EQ(format_in_mixture("q6_k", "q6_k", TensorRole::AttentionOutput, at), "q6_k");
  EXPECT_EQ(format_in_mixture("iq2_xs", "iq2_xs", TensorRole::Key, at), "q4_k");
}

TEST(MixtureRules, GiveTheValuesOf70BMore) {
  EXPECT_EQ(format_in_mixture("q4_k_m", "q4_k", TensorRole::Value, {11, 80, 8}), "q5_k");
  EXPECT_EQ(format_in_mixture("q4_k_m", "q4_k", TensorRole::Value, {11, 64, 8}), "q4_k");
}

TEST(MixtureRules, HaveOthersForRowsThatAreNotWholeBlocks) {
  EXPECT_EQ(format_of_small_blocks("q4_k"), "q5_0");
  EXPECT_EQ(format_of_small_blocks("q6_k"), "q8_0");
  EXPECT_EQ(format_of_small_blocks("iq2_xs"), "iq4_nl");
  EXPECT_EQ(format_of_small_blocks("q3_k"), "q4_0");
  // Qwen2.5 0.5B, 896 wide: 373.71 MiB are printed of its Q4_K_M.
  const auto model = parse_hparams(R"({"arch": "qwen2", "n_layer": 24, "n_embd": 896, "n_head": 14, "n_head_kv": 2,
    "n_ff": 4864, "n_vocab": 151936, "file_type": "Q4_K - Medium"})");
  EXPECT_NEAR(testing::mib(model->weights.in_file()), 373.71, 0.2);
}

TEST(MixtureRules, PutExpertsAloneInMxfp4) {
  const auto model = parse_hparams(R"({"arch": "gpt-oss", "n_layer": 24, "n_embd": 2880, "n_head": 64, "n_head_kv": 8,
    "n_embd_head_k": 64, "n_embd_head_v": 64, "n_ff": 2880, "n_ff_exp": 2880, "n_vocab": 201088, "n_expert": 32,
    "n_expert_used": 4, "file_type": "MXFP4 MoE"})");
  EXPECT_NEAR(gigabytes(*model), 12.11, 0.06) << "gpt-oss 20b, as published";
}

}  // namespace
}  // namespace dualgpuopt::memory
