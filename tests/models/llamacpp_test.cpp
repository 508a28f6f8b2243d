#include "dualgpuopt/memory/models/llamacpp.h"

#include <gmock/gmock.h>

#include "models/shapes.h"

namespace dualgpuopt::memory {
namespace {

using ::testing::HasSubstr;
using testing::mib;

LlamaCppOptions with_context(std::uint64_t tokens) {
  LlamaCppOptions options;
  options.cache.context = tokens;
  return options;
}

TEST(LlamaCpp, NeedsWhatItsLogsPrint) {
  auto options = with_context(8192);
  options.cache.sequences = 4;
  options.flash_attention = false;
  const auto need = llamacpp_need(testing::llama3_8b(), options);
  ASSERT_EQ(need.size(), 2U);
  EXPECT_EQ(need[0].layers, 32U);
  EXPECT_NEAR(mib(need[0].weights), 4403.49, 0.5);
  EXPECT_EQ(mib(need[0].kv_cache), 1024);
  EXPECT_NEAR(mib(need[0].compute), 560, 0.1);
  EXPECT_FALSE(need[1].gpu);
  EXPECT_NEAR(mib(need[1].weights), 281.81, 0.01);
  EXPECT_NEAR(mib(need[1].output), 1.96, 0.01) << "logits of four sequences";
  EXPECT_NEAR(mib(need[1].compute), 24.01, 0.1) << "the inputs";
}

TEST(LlamaCpp, SplitsLayersByShares) {
  auto options = with_context(4096);
  options.gpus = 2;
  auto need = llamacpp_need(testing::qwen3_235b(), options);
  EXPECT_EQ(need[0].layers, 48U);
  EXPECT_EQ(need[1].layers, 46U) << "and the output";
  options.split = {25, 75};
  need = llamacpp_need(testing::qwen3_235b(), options);
  EXPECT_EQ(need[0].layers, 24U);
  EXPECT_EQ(need[1].layers, 70U);
}

TEST(LlamaCpp, LeavesTheFirstLayersInHostMemory) {
  auto options = with_context(4096);
  options.gpus = 2;
  options.gpu_layers = 63;
  options.output_first = false;
  const auto need = llamacpp_need(testing::qwen3_235b(), options);
  EXPECT_EQ(need[0].layers + need[1].layers, 63U);
  EXPECT_EQ(need[2].layers, 31U);
  EXPECT_GT(need[2].kv_cache, 0U) << "the cache follows its layers";
  const auto places = place_layers(94, options);
  EXPECT_FALSE(places[30]);
  EXPECT_TRUE(places[31]);
  EXPECT_FALSE(places[94]) << "the output goes last";
  options.output_first = true;
  EXPECT_FALSE(place_layers(94, options)[31]);
  EXPECT_TRUE(place_layers(94, options)[94]) << "the output goes first";
  options.fork = LlamaCppFork::Ik;
  EXPECT_EQ(place_layers(94, options), places);
}

TEST(LlamaCpp, NeedsNoGpuWithoutOne) {
  auto options = with_context(4096);
  options.gpus = 0;
  const auto need = llamacpp_need(testing::llama3_8b(), options);
  ASSERT_EQ(need.size(), 1U);
  EXPECT_NEAR(mib(need[0].weights), 4685.3, 0.6);
  EXPECT_GT(need[0].compute, 0U);
}

TEST(LlamaCpp, KeepsTheCacheOnTheMainGpuWhereRowsAreSplit) {
  auto options = with_context(4096);
  options.gpus = 2;
  options.mode = SplitMode::Row;
  options.main_gpu = 1;
  const auto need = llamacpp_need(testing::llama3_8b(), options);
  EXPECT_EQ(need[0].kv_cache, 0U);
  EXPECT_EQ(mib(need[1].kv_cache), 512);
  EXPECT_NEAR(mib(need[0].weights), mib(need[1].weights), 1);
}

TEST(LlamaCpp, KeepsExpertsInHostMemoryAndStagesThem) {
  auto options = with_context(32768);
  const auto all = llamacpp_need(testing::qwen3_235b(), options);
  options.host_expert_layers = 94;
  const auto need = llamacpp_need(testing::qwen3_235b(), options);
  EXPECT_EQ(need[0].weights + need[1].weights, all[0].weights + all[1].weights);
  EXPECT_LT(mib(need[0].weights), 10000);
  EXPECT_NEAR(mib(need[0].compute), 1024, 0.1 * 1024) << "as printed";
  options.fork = LlamaCppFork::Ik;
  EXPECT_NEAR(mib(llamacpp_need(testing::qwen3_235b(), options)[0].compute), 312.75, 0.05 * 312.75) << "as printed";
}

TEST(LlamaCpp, WorksOnHostLayersWithTheFirstGpu) {
  auto options = with_context(16384);
  options.gpu_layers = 0;
  auto need = llamacpp_need(testing::qwen3_235b("Q6_K"), options);
  EXPECT_NEAR(mib(need[0].compute), 742, 0.25 * 742) << "as printed";
  EXPECT_EQ(need[0].layers, 0U);
  options.gpus = 2;
  need = llamacpp_need(testing::qwen3_235b("Q6_K"), options);
  EXPECT_GT(need[0].total(), 0U);
  EXPECT_EQ(need[1].total(), 0U);
  options.cache.micro_batch = 16;
  EXPECT_EQ(llamacpp_need(testing::qwen3_235b("Q6_K"), options)[0].total(), 0U) << "too few tokens";
}

TEST(LlamaCpp, CountsATiedOutputOnlyWhereItIsACopy) {
  const auto model =
      *parse_hparams(R"({"arch": "gemma3", "n_layer": 2, "n_embd": 1024, "n_head": 4, "n_ff": 10, "n_vocab": 1000})");
  auto options = with_context(256);
  const auto on_gpu = llamacpp_need(model, options);
  options.gpus = 0;
  const auto in_host = llamacpp_need(model, options);
  EXPECT_EQ(in_host[0].weights, model.weights.in_file());
  EXPECT_EQ(on_gpu[0].weights + on_gpu[1].weights, model.weights.in_file() + model.weights.input);
}

TEST(LlamaCpp, LoadsNothingOfLayersThatPredictFurtherTokens) {
  auto model = testing::llama3_8b();
  const auto all = llamacpp_need(model, with_context(4096));
  model.shape.unloaded_layers = 1;
  const auto need = llamacpp_need(model, with_context(4096));
  EXPECT_EQ(all[0].weights - need[0].weights, model.weights.layers.back());
  EXPECT_EQ(need[0].layers, 31U);
}

TEST(LlamaCpp, NeverNeedsLessForMore) {
  Bytes before = 0;
  for (std::uint64_t context = 256; context <= 1 << 20; context *= 2) {
    const auto total = llamacpp_need(testing::deepseek_r1(), with_context(context))[0].total();
    EXPECT_GE(total, before) << context;
    before = total;
  }
}

TEST(LlamaCppOptions, AreChecked) {
  const auto refusal = [](const LlamaCppOptions& options) {
    return options.validate() ? "" : options.validate().error().describe();
  };
  EXPECT_EQ(refusal(with_context(1)), "");
  EXPECT_THAT(refusal(with_context(0)), HasSubstr("the context must be"));
  auto options = with_context(1);
  options.split = {1, 2};
  EXPECT_THAT(refusal(options), HasSubstr("the split has 2 shares for 1 GPUs"));
  options.gpus = 2;
  EXPECT_EQ(refusal(options), "");
  options.split = {0, 0};
  EXPECT_THAT(refusal(options), HasSubstr("must not be negative"));
  options.split = {2, -1};
  EXPECT_THAT(refusal(options), HasSubstr("must not be negative"));
  options.split = {};
  options.main_gpu = 2;
  EXPECT_THAT(refusal(options), HasSubstr("the main GPU is 2, and there are 2"));
  options = with_context(1);
  options.cache.micro_batch = 0;
  EXPECT_THAT(refusal(options), HasSubstr("micro-batch"));
}

TEST(LlamaCppOptions, HaveATokenForEachSequence) {
  LlamaCppOptions options;
  options.cache.context = 8192;
  options.cache.sequences = 8193;
  EXPECT_FALSE(options.validate());
  options.cache.sequences = 8192;
  EXPECT_TRUE(options.validate());
}

}  // namespace
}  // namespace dualgpuopt::memory
