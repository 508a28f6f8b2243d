#include "models/requantise.h"

#include <gtest/gtest.h>

#include "models/shapes.h"

namespace dualgpuopt::memory {
namespace {

TEST(Requantise, IsWhatTheShapeAloneSays) {
  for (const auto* type : {"Q6_K", "Q5_K_M", "Q4_K_M", "IQ4_XS", "Q3_K_M", "Q2_K"}) {
    const auto made = requantised(testing::llama3_8b("Q8_0"), type);
    ASSERT_TRUE(made) << type;
    const auto told = testing::llama3_8b(type).weights;
    EXPECT_NEAR(testing::mib(made->weights.in_file()), testing::mib(told.in_file()), 1) << type;
    EXPECT_NEAR(testing::mib(made->weights.layers[0]), testing::mib(told.layers[0]), 0.1) << type;
  }
}

TEST(Requantise, KnowsExperts) {
  const auto made = requantised(testing::qwen3_235b("Q8_0"), "Q4_K_M");
  const auto told = testing::qwen3_235b("Q4_K_M").weights;
  EXPECT_NEAR(testing::mib(made->weights.experts[50]), testing::mib(told.experts[50]), 0.1);
  EXPECT_NEAR(testing::mib(made->weights.in_file()), testing::mib(told.in_file()), 1);
}

TEST(Requantise, ATiedOutputIsInItsOwnFormat) {
  const std::string text = R"({"arch": "gemma3", "n_layer": 2, "n_embd": 1024, "n_head": 4, "n_ff": 1024,
                               "n_vocab": 1000, "file_type": ")";
  const auto made = requantised(*parse_hparams(text + "F16\"}"), "Q4_K_M");
  const auto told = parse_hparams(text + "Q4_K_M\"}")->weights;
  EXPECT_EQ(made->weights.input, told.input);
  EXPECT_NEAR(static_cast<double>(made->weights.output), static_cast<double>(told.output), 1);
}

TEST(Requantise, LeavesVectorsAndRoutersAsTheyAre) {
  Model model;
  model.shape.layers.resize(1);
  model.weights = {0, {150}, {0}, 0};
  model.tensors = {{"blk.0.attn_norm.weight", 50, 12, 0}, {"blk.0.ffn_gate_inp.weight", 100, 25, 0}};
  EXPECT_EQ(requantised(model, "Q2_K")->weights.layers[0], 150U);
  EXPECT_FALSE(requantised(model, "Q9"));
}

}  // namespace
}  // namespace dualgpuopt::memory
