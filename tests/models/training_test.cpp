#include "dualgpuopt/memory/models/training.h"

#include <gtest/gtest.h>

#include "models/shapes.h"

namespace dualgpuopt::memory {
namespace {

using testing::mib;
using testing::small_mistral;

constexpr double kGiB = 1024 * 1024 * 1024.0;
double gib(Bytes bytes) { return static_cast<double>(bytes) / kGiB; }

TrainingOptions load(std::uint64_t batch, std::uint64_t context) {
  TrainingOptions options;
  options.batch = batch;
  options.context = context;
  return options;
}

TrainingOptions with(TrainingPrecision precision, bool checkpointing = false) {
  auto options = load(8, 2048);
  options.precision = precision;
  options.checkpointing = checkpointing;
  return options;
}

void expect_counted(const TrainingOptions& options, double counted_mib) {
  const auto need = training_need(small_mistral(), options);
  EXPECT_NEAR(mib(need.total() - need.slack), counted_mib, 0.01 * counted_mib);
}

TEST(Training, TakesWhatPyTorchCounts) {
  expect_counted(with(TrainingPrecision::Brain16), 25738);
  expect_counted(with(TrainingPrecision::Float32), 43019);
  expect_counted(with(TrainingPrecision::Brain16, true), 13697);
}

TEST(Training, KeepsSixteenBytesForEachParameterOfAdam) {
  const auto model = testing::llama3_8b();
  const auto need = training_need(model, load(1, 128));
  const double parameters = model.weights.parameters;
  EXPECT_NEAR(static_cast<double>(need.weights), 4 * parameters, 1);
  EXPECT_NEAR(static_cast<double>(need.optimizer), 8 * parameters, 1);
  EXPECT_NEAR(static_cast<double>(need.gradients), 4 * parameters, 1);
  EXPECT_EQ(need.peak, TrainingPhase::Step) << "few tokens: the parameters decide";
}

TEST(Training, StatesFollowTheOptimizer) {
  const auto model = testing::llama3_8b();
  const auto states = [&](Optimizer optimizer) {
    auto options = load(1, 128);
    options.optimizer = optimizer;
    return static_cast<double>(training_need(model, options).optimizer) / model.weights.parameters;
  };
  EXPECT_EQ(states(Optimizer::Sgd), 0);
  EXPECT_NEAR(states(Optimizer::Momentum), 4, 1e-6);
  EXPECT_NEAR(states(Optimizer::AdamW), 8, 1e-6);
  EXPECT_NEAR(states(Optimizer::AdamW8bit), 2.03125, 1e-6);
}

TEST(Training, ShardingDividesWhatItNames) {
  const auto model = testing::llama3_8b();
  const auto need = [&](Sharding sharding) {
    auto options = load(1, 128);
    options.gpus = 4;
    options.sharding = sharding;
    return training_need(model, options);
  };
  const auto whole = need(Sharding::None);
  EXPECT_EQ(need(Sharding::Optimizer).optimizer, whole.optimizer / 4);
  EXPECT_EQ(need(Sharding::Optimizer).gradients, whole.gradients);
  EXPECT_EQ(need(Sharding::Gradients).gradients, whole.gradients / 8) << "without DDP's buckets";
  EXPECT_EQ(need(Sharding::Gradients).weights, whole.weights);
  EXPECT_LT(need(Sharding::Full).weights, whole.weights / 3) << "a quarter, and two layers while they are computed";
}

TEST(Training, AccumulationKeepsGradients) {
  auto options = with(TrainingPrecision::Brain16);
  const auto without = training_need(small_mistral(), options);
  options.accumulation = true;
  EXPECT_EQ(training_need(small_mistral(), options).total(), without.total() + without.gradients);
}

TEST(Training, WithoutFlashAttentionScoresGrowWithTheSquare) {
  auto options = load(1, 2048);
  const auto kept = [&](std::uint64_t context, bool flash) {
    options.context = context;
    options.flash_attention = flash;
    return static_cast<double>(training_need(small_mistral(), options).activations);
  };
  EXPECT_NEAR(kept(4096, false) - kept(4096, true), 4 * (kept(2048, false) - kept(2048, true)),
              0.01 * kept(4096, true));
}

TEST(Training, AdaptersLeaveTheWeightsAsTheyAre) {
  const auto model = testing::llama3_8b("Q4_K_M");
  auto options = load(1, 512);
  options.lora_rank = 16;
  const auto need = training_need(model, options);
  EXPECT_LT(gib(need.weights), 4.9);
  EXPECT_GT(need.weights, model.weights.in_file());
  EXPECT_NEAR(static_cast<double>(need.optimizer) / 8, 41.9e6, 0.1e6) << "41.9 million parameters, as PEFT prints";
}

TEST(Training, RefusesNothingToDo) {
  EXPECT_FALSE(load(1, 0).validate());
  EXPECT_FALSE(load(0, 1).validate());
  auto options = load(1, 1);
  options.gpus = 0;
  EXPECT_FALSE(options.validate());
  options.gpus = 1;
  EXPECT_TRUE(options.validate());
}

TEST(Training, OfAbsurdDimensionsIsCapped) {
  auto model = small_mistral();
  model.shape.embedding = ~std::uint64_t{0};
  auto options = load(~std::uint64_t{0}, ~std::uint64_t{0});
  EXPECT_GT(training_need(model, options).total(), Bytes{1} << 50);
}

}  // namespace
}  // namespace dualgpuopt::memory
