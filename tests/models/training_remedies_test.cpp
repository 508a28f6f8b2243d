#include <gmock/gmock.h>

#include "dualgpuopt/memory/models/training.h"
#include "models/shapes.h"

namespace dualgpuopt::memory {
namespace {

using ::testing::HasSubstr;
using testing::small_mistral;

TrainingOptions full_batch() {
  TrainingOptions options;
  options.batch = 8;
  options.context = 2048;
  options.precision = TrainingPrecision::Brain16;
  return options;
}

TEST(TrainingRemedies, OfTheBatchIsTheLargestThatFits) {
  const auto options = full_batch();
  const Bytes available = 40_GiB;
  auto at_most = options;
  at_most.batch = largest_training_batch(small_mistral(), options, available);
  EXPECT_GT(at_most.batch, 8U);
  EXPECT_LE(training_need(small_mistral(), at_most).total(), available);
  ++at_most.batch;
  EXPECT_GT(training_need(small_mistral(), at_most).total(), available);
  EXPECT_EQ(largest_training_batch(small_mistral(), options, 1_GiB), 0U);
}

TEST(TrainingRemedies, AreSaidOnlyWhereTheySuffice) {
  const auto options = full_batch();
  const auto found = training_remedies(small_mistral(), options, 20_GiB);
  const auto says = [&](const std::string& words) {
    return std::any_of(found.begin(), found.end(),
                       [&](const auto& remedy) { return remedy.find(words) != std::string::npos; });
  };
  EXPECT_TRUE(says("--checkpointing"));
  EXPECT_TRUE(says("--batch 4 --accumulation")) << ::testing::PrintToString(found);
  EXPECT_FALSE(says("--sharding")) << "there is one GPU";
  EXPECT_FALSE(says("adamw8bit")) << "the activations are too much";
  EXPECT_TRUE(training_remedies(small_mistral(), options, 1_GiB).empty()) << "nothing helps";
  const auto together = training_remedies(small_mistral(), options, 9_GiB);
  ASSERT_EQ(together.size(), 1U);
  EXPECT_THAT(together[0],
              HasSubstr("--batch 1 --accumulation; and keep the optimizer's states in 8 bits: --optimizer adamw8bit"));
  EXPECT_THAT(together[0], ::testing::Not(HasSubstr("--lora-rank"))) << "more than is needed";
}

}  // namespace
}  // namespace dualgpuopt::memory
