#include "dualgpuopt/memory/models/model_weights.h"

#include <gtest/gtest.h>

#include "models/shapes.h"

namespace dualgpuopt::memory {
namespace {

using testing::mib;

GgufTensor tensor(const std::string& name, Bytes bytes) { return {name, 0, {bytes, 1, 1, 1}, bytes}; }

TEST(ModelWeights, AreThoseOfTheTensors) {
  GgufHeader header;
  header.tensors = {tensor("token_embd.weight", 100),       tensor("blk.0.attn_q.weight", 10),
                    tensor("blk.1.ffn_up_exps.weight", 20), tensor("blk.1.ffn_norm.weight", 1),
                    tensor("output_norm.weight", 2),        tensor("output.weight", 50)};
  const auto weights = weights_of(header);
  EXPECT_EQ(weights.input, 100U);
  EXPECT_EQ(weights.layers, (std::vector<Bytes>{10, 21}));
  EXPECT_EQ(weights.experts, (std::vector<Bytes>{0, 20}));
  EXPECT_EQ(weights.output, 52U);
  EXPECT_FALSE(weights.tied);
  EXPECT_EQ(weights.in_file(), 183U);
  EXPECT_FALSE(weights.is_estimate);
}

TEST(ModelWeights, CountATiedOutputOnceInTheFileAndOnceMoreOnItsDevice) {
  GgufHeader header;
  header.tensors = {tensor("token_embd.weight", 100), tensor("output_norm.weight", 2)};
  const auto weights = weights_of(header);
  EXPECT_TRUE(weights.tied);
  EXPECT_EQ(weights.output, 102U);
  EXPECT_EQ(weights.in_file(), 102U);
}

TEST(ModelWeights, IgnoreLayersThatNoModelHas) {
  GgufHeader header;
  header.tensors = {tensor("blk.999999999999.x", 1), tensor("blk.x.y", 2), tensor("blk.7", 4)};
  EXPECT_TRUE(weights_of(header).layers.empty());
}

TEST(ModelWeights, AreEstimatedAsLogsPrintThem) {
  const auto weights = testing::llama3_8b().weights;  // llama.cpp prints CPU 281.81 MiB, CUDA0 4403.49 MiB
  EXPECT_NEAR(mib(weights.input), 281.81, 0.01);
  EXPECT_NEAR(mib(weights.all_layers() + weights.output), 4403.49, 0.5);
  EXPECT_TRUE(weights.is_estimate);
  EXPECT_NEAR(mib(testing::qwen3_235b().weights.in_file()), 232.77 * 1024, 0.001 * 232.77 * 1024);
  EXPECT_NEAR(mib(testing::deepseek_r1().weights.in_file()), 664.3 * 1024, 0.002 * 664.3 * 1024);
}

TEST(ModelWeights, OfLayersWithAState) {
  const auto model = parse_hparams(R"({"arch": "qwen35", "n_layer": 64, "n_embd": 5120, "n_head": 24, "n_head_kv": 4,
    "n_embd_head_k": 256, "n_embd_head_v": 256, "n_ff": 17408, "n_vocab": 248320, "file_type": "Q5_K_M"})");
  ASSERT_TRUE(model);
  const auto on_gpu = static_cast<double>(model->weights.all_layers() + model->weights.output) / (1 << 20);
  EXPECT_NEAR(on_gpu, 17761.91, 0.02 * 17761.91) << "as printed";
  EXPECT_NEAR(48 * 4.0 * static_cast<double>(model->shape.state.elements()) / (1 << 20), 149.62, 0.01) << "as printed";
}

TEST(ModelWeights, OfATypeThatIsNotKnownAreTheFilesAverage) {
  const auto shape = testing::llama3_8b().shape;
  EXPECT_FALSE(weights_of(shape, {"unknown, may not work", std::nullopt, std::nullopt}));
  const auto weights = weights_of(shape, {"unknown, may not work", Bytes{8} << 30, 8.03e9});
  ASSERT_TRUE(weights);
  EXPECT_NEAR(mib(weights->in_file()), 8192, 1);
  EXPECT_NEAR(mib(weights->input), 8192.0 * 128256 * 4096 / 8.03e9, 1);
}

TEST(ModelWeights, AreScaledToTheFile) {
  const auto shape = testing::llama3_8b().shape;
  const auto weights = weights_of(shape, {"Q4_K_M", Bytes{5} << 30, std::nullopt});
  ASSERT_TRUE(weights);
  EXPECT_NEAR(mib(weights->in_file()), 5 * 1024, 0.01);
  EXPECT_NEAR(mib(weights->input), 281.81, 0.01) << "only the layers are";
}

TEST(ModelWeights, AreTiedWhereTheParametersSaySo) {
  const auto shape = testing::llama3_8b().shape;
  EXPECT_FALSE(weights_of(shape, {"F16", std::nullopt, 8.03e9})->tied);
  EXPECT_TRUE(weights_of(shape, {"F16", std::nullopt, 7.5e9})->tied);
}

TEST(ModelWeights, KeepTheEmbeddingsOfLayersWithTheInput) {
  GgufHeader header;
  header.tensors = {
      {"token_embd.weight", 0, {}, 100}, {"per_layer_token_embd.weight", 0, {}, 500}, {"output_norm.weight", 0, {}, 4}};
  const auto weights = weights_of(header);
  EXPECT_EQ(weights.layer_input, 500U);
  EXPECT_EQ(weights.output, 104U) << "the output is the embedding of words alone";
  EXPECT_EQ(weights.in_file(), 604U);
}

}  // namespace
}  // namespace dualgpuopt::memory
