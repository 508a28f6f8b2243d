#include "dualgpuopt/memory/models/limits.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "models/shapes.h"

namespace dualgpuopt::memory {
namespace {

LlamaCppOptions with_context(std::uint64_t tokens) {
  LlamaCppOptions options;
  options.cache.context = tokens;
  return options;
}

TEST(FitLimits, NothingFitsIsNoNumber) {
  const auto found = limits(testing::llama3_8b(), with_context(8192), {{1_MiB}});
  EXPECT_EQ(found.context, std::nullopt);
  EXPECT_EQ(found.sequences, std::nullopt);
  EXPECT_EQ(found.gpu_layers, std::nullopt);
}

TEST(FitLimits, OfTransformersAreToTheToken) {
  const auto model = testing::llama3_8b("F16");
  TransformersOptions options;
  options.context = 4096;
  options.gpus = 2;
  const GpuRoom room{{12_GiB, 8_GiB}};
  const auto found = limits(model, options, room);
  ASSERT_TRUE(found.context && found.split);
  const auto margin_with = [&](std::uint64_t context, std::vector<double> split = {}) {
    auto changed = options;
    changed.context = context;
    changed.split = std::move(split);
    return least_margin(transformers_need(model, changed), room);
  };
  EXPECT_EQ(margin_with(found.context->amount), found.context->margin);
  EXPECT_LT(margin_with(found.context->amount + 1), 0);
  EXPECT_EQ(margin_with(4096, {found.split->layers.begin(), found.split->layers.end()}), found.split->margin);
  EXPECT_GE(found.split->margin, margin_with(4096, {12, 8}));
  EXPECT_EQ(found.gpu_layers, std::nullopt);
}

TEST(FitLimits, OfTrainingAreForEachGpu) {
  const auto model = testing::llama3_8b("F16");
  TrainingOptions options;
  options.context = 2048;
  options.lora_rank = 16;
  options.precision = TrainingPrecision::Brain16;
  const auto found = limits(model, options, 40_GiB);
  ASSERT_TRUE(found.context && found.sequences);
  EXPECT_EQ(found.sequences->amount, largest_training_batch(model, options, 40_GiB));
  options.context = found.context->amount;
  EXPECT_EQ(static_cast<SignedBytes>(40_GiB - training_need(model, options).total()), found.context->margin);
  ++options.context;
  EXPECT_GT(training_need(model, options).total(), 40_GiB);
}

TEST(FitLimits, OfVllmAreWhatItsCacheHolds) {
  VllmOptions options;
  options.total = 24_GiB;
  options.context = 8192;
  const auto need = vllm_need(testing::llama3_8b(), options);
  const auto found = limits(need, options);
  EXPECT_EQ(found.context->amount, need.tokens);
  EXPECT_EQ(found.sequences->amount, need.tokens / 8192);
  EXPECT_GE(found.context->margin, 0);
  EXPECT_GT(found.sequences->margin, found.context->margin);
  options.context = need.tokens + 1;
  EXPECT_EQ(limits(need, options).sequences, std::nullopt);
}

/// Windows, states, latent attention, experts, and none of these.
Model any_model() {
  const auto windowed = *parse_hparams(R"({"arch": "gemma3", "n_layer": 12, "n_embd": 2048, "n_head": 8, "n_head_kv": 4,
    "n_embd_head_k": 256, "n_embd_head_v": 256, "n_ff": 8192, "n_vocab": 262144, "n_swa": 1024, "file_type": "Q8_0"})");
  const auto recurrent = *parse_hparams(R"({"arch": "qwen35", "n_layer": 8, "n_embd": 1024, "n_head": 8, "n_head_kv": 2,
    "n_embd_head_k": 128, "n_embd_head_v": 128, "n_ff": 3072, "n_vocab": 32000, "ssm_d_state": 128, "ssm_d_inner": 2048,
    "ssm_d_conv": 4, "ssm_n_group": 16, "full_attention_interval": 4, "file_type": "Q8_0"})");
  return *rc::gen::element(testing::llama3_8b(), testing::qwen3_235b(), testing::deepseek_r1(), windowed, recurrent);
}

LlamaCppOptions any_options() {
  auto options = with_context(*rc::gen::inRange<std::uint64_t>(1, 100'000));
  options.cache.sequences = *rc::gen::inRange<std::uint64_t>(1, 9);
  options.cache.unified = *rc::gen::arbitrary<bool>();
  options.cache.micro_batch = *rc::gen::element<std::uint64_t>(16, 512, 2048);
  options.flash_attention = *rc::gen::arbitrary<bool>();
  options.gpus = *rc::gen::inRange<std::size_t>(1, 5);
  options.fork = *rc::gen::element(LlamaCppFork::Mainline, LlamaCppFork::Mainline, LlamaCppFork::Ik);
  options.host_expert_layers = *rc::gen::element<std::uint64_t>(0, 0, 20, 100);
  if (*rc::gen::arbitrary<bool>()) options.gpu_layers = *rc::gen::inRange<std::uint64_t>(0, 100);
  return options;
}

GpuRoom any_room(std::size_t gpus) {
  GpuRoom room;
  for (std::size_t i = 0; i < gpus; ++i) room.free.push_back(*rc::gen::inRange<Bytes>(0, 200) << 30);
  return room;
}

/// Told a second time: what the largest are fits, and one step more does not.
RC_GTEST_PROP(FitLimits, AreTheInverseOfTheNeed, ()) {
  const auto model = any_model();
  const auto options = any_options();
  const auto room = any_room(options.gpus);
  const auto found = limits(model, options, room);
  const auto check = [&](const std::optional<Limit>& limit, auto with) {
    if (!limit) return;
    RC_ASSERT(fits(model, with(limit->amount), room));
    RC_ASSERT(limit->margin == least_margin(llamacpp_need(model, with(limit->amount)), room));
    RC_ASSERT(!fits(model, with(limit->amount + 1), room));
  };
  if (found.context && found.context->amount < FitLimits::kMostTokens) {
    RC_ASSERT(found.context->amount % 256 == 0);
    check(Limit{found.context->amount / 256, found.context->margin}, [&](std::uint64_t steps) {
      auto changed = options;
      changed.cache.context = 256 * steps;
      return changed;
    });
  }
  if (found.sequences && found.sequences->amount < FitLimits::kMostSequences)
    check(found.sequences, [&](std::uint64_t count) { return with_sequences(options, count); });
  if (found.gpu_layers && found.gpu_layers->amount <= model.shape.layers.size()) {
    check(found.gpu_layers, [&](std::uint64_t count) {
      auto changed = options;
      changed.gpu_layers = count;
      return changed;
    });
  }
}

/// Where something fits, an answer is there and is no less.
RC_GTEST_PROP(FitLimits, AreNoLessThanWhatFits, ()) {
  const auto model = any_model();
  auto options = any_options();
  options.fork = LlamaCppFork::Mainline;
  options.cache.context = (options.cache.context + 255) / 256 * 256;
  const auto room = any_room(options.gpus);
  if (!fits(model, options, room)) return;
  const auto found = limits(model, options, room);
  RC_ASSERT(found.context.has_value());
  RC_ASSERT(found.context->amount >= options.cache.context);
  RC_ASSERT(found.sequences.has_value());
  RC_ASSERT(found.sequences->amount >= options.cache.sequences);
}

/// Every other dealing out of whole layers leaves no more where least is left.
RC_GTEST_PROP(FitLimits, TheSplitOfTwoGpusIsTheBestThereIs, ()) {
  const auto model = any_model();
  auto options = any_options();
  options.gpus = 2;
  const auto room = any_room(2);
  const auto best = best_llamacpp_split(model, options, room);
  if (!best) return;
  const auto layers = best->layers.at(0) + best->layers.at(1);
  const auto first = *rc::gen::inRange<std::uint64_t>(0, layers + 1);
  options.split = {static_cast<double>(first), static_cast<double>(layers - first)};
  RC_ASSERT(least_margin(llamacpp_need(model, options), room) <= best->margin);
}

}  // namespace
}  // namespace dualgpuopt::memory
