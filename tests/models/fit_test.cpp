#include "dualgpuopt/memory/models/fit.h"

#include <gtest/gtest.h>

#include "models/shapes.h"

namespace dualgpuopt::memory {
namespace {

LlamaCppOptions with_context(std::uint64_t tokens) {
  LlamaCppOptions options;
  options.cache.context = tokens;
  return options;
}

TEST(Fit, SaysHowMuchIsMissing) {
  const auto need = llamacpp_need(testing::llama3_8b(), with_context(8192));
  const auto wanted = need[0].total() + kTypicalContextOverhead;
  EXPECT_EQ(missing(need, {{wanted}}), std::vector<Bytes>{0});
  EXPECT_EQ(missing(need, {{wanted - 1}}), std::vector<Bytes>{1});
}

TEST(Fit, AsksNothingOfAGpuThatIsNotUsed) {
  auto options = with_context(8192);
  options.gpu_layers = 0;
  EXPECT_FALSE(fits(testing::llama3_8b(), options, {{0}})) << "it works on large batches";
  options.host_ops_on_gpu = false;
  EXPECT_TRUE(fits(testing::llama3_8b(), options, {{0}}));
}

TEST(Fit, FindsTheLargestContext) {
  const auto model = testing::llama3_8b();
  const GpuRoom room{{8_GiB}};
  const auto tokens = largest_context(model, with_context(1), room, 1 << 20);
  EXPECT_GT(tokens, 8192U);
  EXPECT_TRUE(fits(model, with_context(tokens), room));
  EXPECT_FALSE(fits(model, with_context(tokens + 256), room));
  EXPECT_EQ(largest_context(model, with_context(1), room, 4096), 4096U) << "no more than asked for";
  EXPECT_EQ(largest_context(model, with_context(1), {{1_GiB}}, 4096), 0U);
}

TEST(Fit, FindsTheMostLayers) {
  const auto model = testing::llama3_8b();
  const GpuRoom room{{4_GiB}};
  auto options = with_context(8192);
  const auto layers = most_gpu_layers(model, options, room);
  ASSERT_TRUE(layers);
  options.gpu_layers = *layers;
  EXPECT_TRUE(fits(model, options, room));
  options.gpu_layers = *layers + 1;
  EXPECT_FALSE(fits(model, options, room));
  EXPECT_EQ(most_gpu_layers(model, options, {{80_GiB}}), 33U);
  EXPECT_EQ(most_gpu_layers(model, options, {{0}}), std::nullopt);
  options.host_ops_on_gpu = false;
  EXPECT_EQ(most_gpu_layers(model, options, {{0}}), 0U);
}

TEST(Fit, FindsTheLargestBatch) {
  const auto model = testing::llama3_8b();
  const auto options = with_sequences(with_context(4096), 2);
  EXPECT_EQ(options.cache.context, 8192U) << "each has as many tokens as before";
  const auto most = largest_batch(model, options, {{8_GiB}}, 1000);
  EXPECT_GT(most, 2U);
  EXPECT_TRUE(fits(model, with_sequences(options, most), {{8_GiB}}));
  EXPECT_FALSE(fits(model, with_sequences(options, most + 1), {{8_GiB}}));
  EXPECT_EQ(largest_batch(model, options, {{8_GiB}}, 3), 3U) << "no more than asked for";
}

TEST(Fit, FindsTheFewestLayersOfExpertsInHostMemory) {
  const auto model = testing::qwen3_235b("Q4_K_M");
  auto options = with_context(8192);
  const GpuRoom room{{48_GiB}};
  const auto layers = fewest_host_expert_layers(model, options, room);
  ASSERT_TRUE(layers);
  options.host_expert_layers = *layers;
  EXPECT_TRUE(fits(model, options, room));
  options.host_expert_layers = *layers - 1;
  EXPECT_FALSE(fits(model, options, room));
  EXPECT_EQ(fewest_host_expert_layers(model, options, {{200_GiB}}), 0U);
  EXPECT_EQ(fewest_host_expert_layers(model, options, {{2_GiB}}), std::nullopt);
  EXPECT_EQ(fewest_host_expert_layers(testing::llama3_8b(), options, {{200_GiB}}), std::nullopt) << "it has none";
}

TEST(Fit, TheBestSplitLeavesTheMost) {
  const auto model = testing::llama3_8b();
  auto options = with_context(8192);
  EXPECT_EQ(best_llamacpp_split(model, options, {{8_GiB}}), std::nullopt) << "one GPU has all";
  options.gpus = 2;
  const GpuRoom room{{6_GiB, 4_GiB}};
  const auto split = best_llamacpp_split(model, options, room);
  ASSERT_TRUE(split);
  EXPECT_EQ(split->layers.at(0) + split->layers.at(1), 33U);
  options.split = {static_cast<double>(split->layers[0]), static_cast<double>(split->layers[1])};
  EXPECT_EQ(llamacpp_need(model, options)[0].layers, split->layers[0]) << "the option has just these";
  EXPECT_EQ(least_margin(llamacpp_need(model, options), room), split->margin);
  options.mode = SplitMode::Row;
  EXPECT_EQ(best_llamacpp_split(model, options, room), std::nullopt);
}

TEST(Fit, SaysHowMuchIsLeft) {
  const auto need = llamacpp_need(testing::llama3_8b(), with_context(8192));
  const auto wanted = need[0].total() + kTypicalContextOverhead;
  EXPECT_EQ(least_margin(need, {{wanted + 7}}), 7);
  EXPECT_EQ(least_margin(need, {{wanted - 7}}), -7);
}

}  // namespace
}  // namespace dualgpuopt::memory
