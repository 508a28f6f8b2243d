#include "models/placed_tensors.h"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <numeric>

#include "models/shapes.h"

namespace dualgpuopt::memory {
namespace {

LlamaCppOptions placed(const Model& model, const std::string& text, std::size_t gpus = 1) {
  LlamaCppOptions options;
  options.cache.context = 8192;
  options.gpus = gpus;
  options.placed = *place_tensors(model, {text}, gpus);
  return options;
}

Bytes weights_of_all(const std::vector<DeviceNeed>& needs) {
  return std::accumulate(needs.begin(), needs.end(), Bytes{0},
                         [](Bytes sum, const DeviceNeed& need) { return sum + need.weights; });
}

TEST(PlacedTensors, ExpertsInHostMemoryAreThoseOfCpuMoe) {
  const auto model = testing::qwen3_235b();
  auto moe = placed(model, "no=CPU");
  moe.host_expert_layers = 94;
  const auto expected = llamacpp_need(model, moe);
  const auto need = llamacpp_need(model, placed(model, R"(\.ffn_(up|down|gate)_exps=CPU)"));
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(need[i].weights, expected[i].weights);
    EXPECT_NEAR(testing::mib(need[i].compute), testing::mib(expected[i].compute), 0.01);
  }
}

TEST(PlacedTensors, MoveTheirWeightsAndNothingElse) {
  const auto model = testing::llama3_8b();
  const auto plain = llamacpp_need(model, placed(model, "no=CPU", 2));
  const auto moved = llamacpp_need(model, placed(model, "blk.0.ffn=CUDA1", 2));
  EXPECT_EQ(weights_of_all(moved), weights_of_all(plain));
  EXPECT_LT(moved[0].weights, plain[0].weights);
  EXPECT_EQ(moved[0].weights + moved[1].weights, plain[0].weights + plain[1].weights);
  EXPECT_EQ(moved[0].kv_cache, plain[0].kv_cache) << "the cache stays with its layer";
}

TEST(PlacedTensors, StopThePipeline) {
  const auto model = testing::llama3_8b();
  auto options = placed(model, "no=CPU", 2);
  const auto with = llamacpp_need(model, options)[0].compute;
  options = placed(model, "blk.0.attn_norm=CPU,blk.0.attn_k=CUDA0", 2);
  EXPECT_LT(llamacpp_need(model, options)[0].compute, with);
}

TEST(PlacedTensors, AGpuThatHasSomeWorks) {
  const auto model = testing::qwen3_235b();
  auto options = placed(model, "blk.0.ffn_up_exps=CUDA1", 2);
  options.split = {1, 0};
  const auto need = llamacpp_need(model, options);
  EXPECT_EQ(need[1].layers, 0U);
  EXPECT_GT(need[1].weights, 0U);
  EXPECT_GT(need[1].compute, 0U);
}

TEST(PlacedTensors, TheOutputTakesItsLogitsAlong) {
  const auto model = testing::llama3_8b();
  const auto need = llamacpp_need(model, placed(model, "^output.weight=CUDA0", 2));
  const auto usual = llamacpp_need(model, placed(model, "blk.0.attn_k.=CUDA0", 2));
  EXPECT_GT(need[0].compute, usual[0].compute);
  EXPECT_LT(need[1].compute, usual[1].compute);
  EXPECT_EQ(weights_of_all(need), weights_of_all(usual));
}

TEST(PlacedTensors, ATiedEmbeddingIsThereOnce) {
  const auto model =
      *parse_hparams(R"({"arch": "gemma3", "n_layer": 2, "n_embd": 1024, "n_head": 4, "n_ff": 10, "n_vocab": 1000})");
  const auto need = llamacpp_need(model, placed(model, "token_embd=CUDA0"));
  EXPECT_EQ(weights_of_all(need), model.weights.in_file());
  EXPECT_EQ(need[1].weights, 0U);
}

TEST(PlacedTensors, HostMatricesAreTheLargest) {
  const auto model = testing::llama3_8b();
  const auto found = host_matrices(model, placed(model, "blk.[0-3].ffn_up=CPU,blk.1.attn_k=CPU").placed);
  EXPECT_EQ(found.experts, 0U);
  EXPECT_NEAR(testing::mib(found.others), 4096.0 * 14336 * 144 / 256 / (1 << 20), 0.1) << "in Q4_K";
  EXPECT_EQ(host_matrices(model, placed(model, "ffn_up=CUDA0").placed).others, 0U);
}

RC_GTEST_PROP(PlacedTensors, NoWeightIsLostOrMadeUp, ()) {
  const auto model = *rc::gen::element(testing::llama3_8b(), testing::qwen3_235b(), testing::deepseek_r1());
  const auto pattern =
      *rc::gen::element<std::string>("exps", "blk.1.", "ffn_(up|down)", "attn", "output", "token_embd");
  const auto device = *rc::gen::element<std::string>("CPU", "CUDA0", "CUDA1");
  auto options = placed(model, pattern + "=" + device, 2);
  options.gpu_layers = *rc::gen::inRange<std::uint64_t>(0, 100);
  options.host_expert_layers = *rc::gen::inRange<std::uint64_t>(0, 100);
  RC_ASSERT(weights_of_all(llamacpp_need(model, options)) == model.weights.in_file());
}

}  // namespace
}  // namespace dualgpuopt::memory
