#include "dualgpuopt/memory/models/model_tensors.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "models/shapes.h"

namespace dualgpuopt::memory {
namespace {

Bytes sum_of(const Model& model, std::size_t layer, bool of_experts) {
  Bytes sum = 0;
  for (const auto& tensor : model.tensors)
    sum += tensor.layer == layer && tensor.is_of_experts() == of_experts ? tensor.bytes : 0;
  return sum;
}

TEST(ModelTensors, HaveTheNamesThatLlamaCppGives) {
  const auto model = testing::llama3_8b();
  std::vector<std::string> names;
  for (const auto& tensor : model.tensors) names.push_back(tensor.name);
  EXPECT_EQ(names.size(), 2U + 32 * 7);
  EXPECT_EQ(names[0], "token_embd.weight");
  EXPECT_EQ(names[1], "output.weight");
  EXPECT_THAT(names, ::testing::IsSupersetOf({"blk.0.attn_q.weight", "blk.31.ffn_down.weight"}));
}

TEST(ModelTensors, ComeToWhatTheirLayersTake) {
  const auto model = testing::qwen3_235b("Q4_K_M");
  for (const std::size_t layer : {0, 50, 93}) {
    EXPECT_EQ(sum_of(model, layer, true), model.weights.experts[layer]);
    const auto norms = model.weights.layers[layer] - model.weights.experts[layer] - sum_of(model, layer, false);
    EXPECT_LT(norms, 100_KiB) << "what has no name here";
  }
}

TEST(ModelTensors, OfAFileAreItsOwn) {
  GgufHeader header;
  header.tensors = {{"token_embd.weight", 0, {4, 5, 1, 1}, 40},
                    {"blk.1.ffn_up_exps.weight", 0, {4, 5, 2, 1}, 80},
                    {"blk.9.attn_q.weight", 0, {4, 4, 1, 1}, 32},
                    {"blk.", 0, {1, 1, 1, 1}, 2}};
  const auto tensors = tensors_of(header, 2);
  EXPECT_TRUE(tensors[0].is_embedding());
  EXPECT_EQ(tensors[1].layer, 1U);
  EXPECT_TRUE(tensors[1].is_of_experts());
  EXPECT_EQ(tensors[1].elements, 40);
  EXPECT_EQ(tensors[2].layer, std::nullopt) << "beyond the last layer";
  EXPECT_EQ(tensors[3].layer, std::nullopt);
}

TEST(ModelTensors, AreTakenOutOfTheirPart) {
  ModelWeights weights{100, {50}, {30}, 20};
  take_out(weights, {"blk.0.ffn_up_exps.weight", 10, 5, 0});
  take_out(weights, {"token_embd.weight", 60, 30});
  take_out(weights, {"output.weight", 60, 30});
  EXPECT_EQ(weights.layers[0], 40U);
  EXPECT_EQ(weights.experts[0], 20U);
  EXPECT_EQ(weights.input, 40U);
  EXPECT_EQ(weights.output, 0U) << "never less than nothing";
}

}  // namespace
}  // namespace dualgpuopt::memory
