#include "dualgpuopt/memory/predictor/model_profile.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <limits>

namespace dualgpuopt::memory {
namespace {

constexpr Bytes kMost = std::numeric_limits<Bytes>::max();

TEST(DefaultModelProfiles, AreTheFiveOfTheOriginalModule) {
  const auto* llama = find_default_profile("llama2-7b");
  ASSERT_NE(llama, nullptr);
  EXPECT_EQ(*llama, (ModelProfile{"llama2-7b", 7_GiB, 50_MiB, 3_KiB}));
  EXPECT_EQ(*find_default_profile("llama2-13b"), (ModelProfile{"llama2-13b", 13_GiB, 100_MiB, 5_KiB}));
  EXPECT_EQ(*find_default_profile("llama2-70b"), (ModelProfile{"llama2-70b", 35_GiB, 350_MiB, 18_KiB}));
  EXPECT_EQ(*find_default_profile("mistral-7b"), (ModelProfile{"mistral-7b", 8_GiB, 55_MiB, 3_KiB}));
  EXPECT_EQ(*find_default_profile("mixtral-8x7b"), (ModelProfile{"mixtral-8x7b", 25_GiB, 200_MiB, 12_KiB}));
  EXPECT_EQ(default_model_profiles().front().name, "llama2-7b");
  EXPECT_EQ(default_model_profiles().back().name, "mixtral-8x7b");
  EXPECT_EQ(find_default_profile("unheard-of"), nullptr);
  EXPECT_EQ(find_default_profile(""), nullptr);
}

TEST(ModelProfile, EstimatesUsage) {
  const ModelProfile profile{"m", 7_GiB, 50_MiB, 3_KiB};
  EXPECT_EQ(profile.estimate_usage(0, 0), 7_GiB);
  EXPECT_EQ(profile.estimate_usage(4, 2048), 7_GiB + 200_MiB + 6_MiB);
  EXPECT_EQ(profile.estimate_usage(kMost, 1), kMost);
  EXPECT_EQ(profile.estimate_usage(1, kMost), kMost);
}

TEST(ModelProfile, SaysWhatDoesNotFit) {
  const ModelProfile profile{"m", 7_GiB, 50_MiB, 3_KiB};
  EXPECT_EQ(profile.max_batch_size(8_GiB, 0), 20U);
  EXPECT_EQ(profile.max_batch_size(7_GiB, 0), 0U);
  EXPECT_EQ(profile.max_batch_size(6_GiB, 0), 0U);
  EXPECT_EQ(profile.max_batch_size(8_GiB, kMost), 0U);
  EXPECT_EQ(profile.max_sequence_length(7_GiB + 50_MiB + 3_KiB, 1), 1U);
  EXPECT_EQ(profile.max_sequence_length(7_GiB, 1), 0U);
}

TEST(ModelProfile, HasNoLargestWhereNothingIsSpent) {
  const ModelProfile profile{"m", 7_GiB, 0, 0};
  EXPECT_EQ(profile.max_batch_size(8_GiB, 1000), std::nullopt);
  EXPECT_EQ(profile.max_sequence_length(7_GiB, 1000), std::nullopt);
  EXPECT_EQ(profile.max_batch_size(6_GiB, 0), 0U);
}

RC_GTEST_PROP(ModelProfile, GivesTheLargestThatStillFits, (Bytes base, Bytes per_batch, Bytes per_token)) {
  const ModelProfile profile{"m", base, per_batch, per_token};
  const auto available = *rc::gen::arbitrary<Bytes>();
  const auto tokens = *rc::gen::arbitrary<std::uint64_t>();
  if (const auto most = profile.max_batch_size(available, tokens)) {
    RC_ASSERT((*most == 0 || profile.estimate_usage(*most, tokens) <= available));
    const auto next = profile.estimate_usage(*most + 1, tokens);
    RC_ASSERT((*most == kMost || next > available || next == kMost));
  }
  if (const auto most = profile.max_sequence_length(available, tokens)) {
    RC_ASSERT((*most == 0 || profile.estimate_usage(tokens, *most) <= available));
  }
}

}  // namespace
}  // namespace dualgpuopt::memory
