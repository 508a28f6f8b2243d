#include "dualgpuopt/memory/predictor/profile_learner.h"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace dualgpuopt::memory {
namespace {

using ::testing::HasSubstr;

ProfileFit fit_of(const std::vector<ProfileObservation>& observations, Bytes jitter = 0) {
  ProfileLearner learner(jitter);
  for (const auto& seen : observations) {
    if (const auto added = learner.add(seen); !added) ADD_FAILURE() << added.error().describe();
  }
  return learner.fit();
}

const ModelProfile kModel{"m", 7_GiB, 50_MiB, 3_KiB};

ProfileObservation seen_of(const ModelProfile& model, std::uint64_t batch, std::uint64_t tokens) {
  return {batch, tokens, model.estimate_usage(batch, tokens)};
}

TEST(ProfileLearner, LearnsFromALoadAndTwoSteps) {
  const auto fit = fit_of({seen_of(kModel, 0, 0), seen_of(kModel, 1, 2048), seen_of(kModel, 4, 2048)});
  EXPECT_EQ(fit.profile("m"), kModel);
  EXPECT_EQ(fit.settings, 3U);
  EXPECT_EQ(fit.base->error, std::nullopt) << "nothing to spare";
  EXPECT_EQ(fit.lacking, "");
  EXPECT_NEAR(fit.residual, 0, 1e-3);
}

TEST(ProfileLearner, KnowsHowSureItIs) {
  const auto fit = fit_of({{0, 0, 100}, {1, 0, 204}, {2, 0, 300}, {0, 10, 104}, {1, 10, 196}, {2, 10, 312}});
  ASSERT_TRUE(fit.complete());
  EXPECT_EQ(fit.per_batch->bytes, 102U);
  EXPECT_GT(fit.residual, 3);
  EXPECT_LT(fit.residual, 6);
  ASSERT_TRUE(fit.per_batch->error);
  EXPECT_GT(*fit.per_batch->error, 1);
  EXPECT_LT(*fit.per_batch->error, 6);
}

TEST(ProfileLearner, InventsNothing) {
  const auto nothing = fit_of({});
  EXPECT_FALSE(nothing.base || nothing.per_batch || nothing.per_token);
  EXPECT_EQ(nothing.lacking, "nothing was observed yet");

  const auto load = fit_of({{0, 0, 5_GiB}});
  EXPECT_EQ(load.base->bytes, 5_GiB);
  EXPECT_FALSE(load.per_batch || load.per_token);
  EXPECT_THAT(load.lacking, HasSubstr("observe others"));

  const auto one = fit_of({{2, 100, 5_GiB}});
  EXPECT_FALSE(one.base || one.per_batch || one.per_token);

  const auto tokens = fit_of({seen_of(kModel, 1, 1000), seen_of(kModel, 1, 3000)});
  EXPECT_EQ(tokens.per_token->bytes, 3_KiB);
  EXPECT_FALSE(tokens.base || tokens.per_batch);
  EXPECT_THAT(tokens.lacking, HasSubstr("the batch was always 1"));

  const auto batch = fit_of({seen_of(kModel, 0, 0), seen_of(kModel, 4, 0)});
  EXPECT_EQ(batch.base->bytes, 7_GiB);
  EXPECT_EQ(batch.per_batch->bytes, 50_MiB);
  EXPECT_FALSE(batch.per_token);
  EXPECT_THAT(batch.lacking, HasSubstr("the number of tokens was always 0"));

  const auto batch_alone = fit_of({seen_of(kModel, 1, 512), seen_of(kModel, 4, 512)});
  EXPECT_EQ(batch_alone.per_batch->bytes, 50_MiB);
  EXPECT_FALSE(batch_alone.base || batch_alone.per_token);

  const auto together = fit_of({seen_of(kModel, 0, 0), seen_of(kModel, 1, 512), seen_of(kModel, 3, 1536)});
  EXPECT_EQ(together.base->bytes, 7_GiB);
  EXPECT_FALSE(together.per_batch || together.per_token);
  EXPECT_THAT(together.lacking, HasSubstr("vary one of them alone"));

  const auto apart = fit_of({seen_of(kModel, 1, 500), seen_of(kModel, 2, 512), seen_of(kModel, 3, 524)});
  EXPECT_FALSE(apart.base || apart.per_batch || apart.per_token);
}

TEST(ProfileLearner, GivesNoProfileThatItDoesNotKnow) {
  const auto profile = fit_of({{0, 0, 5_GiB}}).profile("m");
  ASSERT_FALSE(profile);
  EXPECT_EQ(profile.error().code(), ErrorCode::Unavailable);
  EXPECT_THAT(profile.error().message(), HasSubstr("only one batch"));
}

TEST(ProfileLearner, TakesTheLeastOfTheLoadAndThePeakOfASetting) {
  const auto fit = fit_of({{0, 0, 120}, {0, 0, 100}, {1, 0, 150}, {1, 0, 200}, {1, 0, 180}, {0, 7, 170}});
  EXPECT_EQ(fit.profile("m"), (ModelProfile{"m", 100, 100, 10}));
  EXPECT_EQ(fit.settings, 3U);
  EXPECT_EQ(fit.observations, 6U);
}

/// What a caching allocator shows: it gives nothing back.
std::vector<ProfileObservation> as_kept(std::vector<ProfileObservation> observations) {
  Bytes most = 0;
  for (auto& seen : observations) seen.used = most = std::max(most, seen.used);
  return observations;
}

TEST(ProfileLearner, SeesThroughAnAllocatorThatKeepsWhatItHas) {
  const auto kept =
      as_kept({seen_of(kModel, 0, 0), seen_of(kModel, 8, 100), seen_of(kModel, 4, 100), seen_of(kModel, 2, 3000),
               seen_of(kModel, 1, 50), seen_of(kModel, 0, 0), seen_of(kModel, 8, 4000)});
  const auto fit = fit_of(kept);
  EXPECT_EQ(fit.held, 4U);
  EXPECT_EQ(fit.settings, 3U);
  EXPECT_EQ(fit.profile("m"), kModel);
}

TEST(ProfileLearner, KnowsThatLargerStepsAreNotHeld) {
  const auto fit = fit_of({{0, 0, 100}, {1, 0, 100}, {2, 0, 100}, {2, 5, 100}});
  EXPECT_EQ(fit.held, 0U);
  EXPECT_EQ(fit.profile("m"), (ModelProfile{"m", 100, 0, 0})) << "neither costs anything";
}

TEST(ProfileLearner, TakesJitterForNothing) {
  const std::vector<ProfileObservation> observations{{0, 0, 1000}, {8, 0, 9000}, {1, 0, 8990}, {2, 0, 9010}};
  EXPECT_EQ(fit_of(observations).held, 0U);
  EXPECT_EQ(fit_of(observations, 10).held, 2U);
  EXPECT_EQ(fit_of(observations, ~Bytes{0}).held, 2U);
  EXPECT_EQ(fit_of(observations, 10).per_batch->bytes, 1000U);
}

TEST(ProfileLearner, RefusesMoreThanItCanReckonWith) {
  ProfileLearner learner;
  const auto refusal = [&](ProfileObservation seen) {
    const auto added = learner.add(seen);
    return added ? "" : added.error().message();
  };
  constexpr auto most = ProfileLearner::kMostCount;
  EXPECT_EQ(refusal({most + 1, 0, 0}), "batch: 1073741825 is more than 1073741824");
  EXPECT_THAT(refusal({0, most + 1, 0}), HasSubstr("tokens: "));
  EXPECT_THAT(refusal({0, 0, ProfileLearner::kMostBytes + 1}), HasSubstr("used: "));
  EXPECT_EQ(learner.fit().observations, 0U);
  EXPECT_EQ(refusal({0, 0, 0}), "");
  EXPECT_EQ(refusal({most, 0, most}), "");
  EXPECT_EQ(refusal({most, most, ProfileLearner::kMostBytes}), "");
  EXPECT_EQ(learner.fit().profile("m"), (ModelProfile{"m", 0, 1, (ProfileLearner::kMostBytes >> 30) - 1}));
}

TEST(ProfileLearner, ForgetsWhenItIsReset) {
  ProfileLearner learner(7);
  ASSERT_TRUE(learner.add({1, 1, 1}));
  learner.reset();
  EXPECT_EQ(learner.fit(), ProfileLearner().fit());
}

TEST(ProfileLearner, RemembersSoManySettingsAndTheirRange) {
  ProfileLearner learner;
  ASSERT_TRUE(learner.add(seen_of(kModel, 0, 0)));
  for (std::uint64_t tokens = 1; tokens <= 50'000; ++tokens) {
    ASSERT_TRUE(learner.add(seen_of(kModel, tokens % 7, tokens)));
  }
  const auto fit = learner.fit();
  EXPECT_LE(fit.settings, ProfileLearner::kMostSettings);
  EXPECT_GT(fit.settings, ProfileLearner::kMostSettings / 4);
  EXPECT_EQ(fit.observations, 50'001U);
  EXPECT_EQ(fit.profile("m"), kModel);
}

// Properties ----------------------------------------------------------------------------------------------------------

ModelProfile any_model() {
  return {"m", *rc::gen::inRange<Bytes>(0, 1_TiB), *rc::gen::inRange<Bytes>(0, 10_GiB),
          *rc::gen::inRange<Bytes>(0, 1_MiB)};
}

/// The load, and a grid of settings.
std::vector<ProfileObservation> grid(const ModelProfile& model, std::uint64_t batches, std::uint64_t lengths) {
  std::vector<ProfileObservation> observations{seen_of(model, 0, 0)};
  for (std::uint64_t batch = 1; batch <= batches; ++batch) {
    for (std::uint64_t length = 1; length <= lengths; ++length) {
      observations.push_back(seen_of(model, batch, length * 1000));
    }
  }
  return observations;
}

template <typename T>
void shuffle(std::vector<T>& all) {
  for (auto left = all.size(); left > 1; --left) std::swap(all[left - 1], all[*rc::gen::inRange<std::size_t>(0, left)]);
}

bool has_equal_neighbours(const std::vector<ProfileObservation>& observations) {
  const auto is_equal = [](const auto& a, const auto& b) { return a.used == b.used; };
  return std::adjacent_find(observations.begin(), observations.end(), is_equal) != observations.end();
}

/// Whether the settings are not all on one line, so that all three numbers can be told.
bool is_free(const std::vector<ProfileObservation>& seen) {
  const auto cross = [&](std::size_t i, std::size_t k) {
    const auto b = [&](std::size_t n) {
      return static_cast<double>(seen[n].batch) - static_cast<double>(seen[0].batch);
    };
    const auto t = [&](std::size_t n) {
      return static_cast<double>(seen[n].tokens) - static_cast<double>(seen[0].tokens);
    };
    return b(i) * t(k) - b(k) * t(i);
  };
  for (std::size_t i = 1; i < seen.size(); ++i) {
    for (std::size_t k = 1; k < seen.size(); ++k) {
      if (std::abs(cross(i, k)) > 0) return true;
    }
  }
  return false;
}

RC_GTEST_PROP(ProfileLearner, GivesExactNumbersForExactData, ()) {
  const auto model = any_model();
  std::vector<ProfileObservation> observations;
  for (auto left = *rc::gen::inRange(1, 30); left > 0; --left) {
    observations.push_back(
        seen_of(model, *rc::gen::inRange<std::uint64_t>(0, 65), *rc::gen::inRange<std::uint64_t>(0, 200'000)));
  }
  RC_PRE(!has_equal_neighbours(observations));
  const auto fit = fit_of(observations);
  RC_ASSERT(fit.complete() == is_free(observations));
  if (fit.base) RC_ASSERT(fit.base->bytes == model.base);
  if (fit.per_batch) RC_ASSERT(fit.per_batch->bytes == model.per_batch);
  if (fit.per_token) RC_ASSERT(fit.per_token->bytes == model.per_token);
  RC_ASSERT(fit.outliers == 0U);
}

RC_GTEST_PROP(ProfileLearner, DoesNotMindTheOrder, ()) {
  auto observations = grid(any_model(), 3, 3);
  for (auto& seen : observations) seen.used += *rc::gen::inRange<Bytes>(0, 100_MiB);
  const auto fit = fit_of(observations);
  shuffle(observations);
  RC_PRE(!has_equal_neighbours(observations));
  auto shuffled = fit_of(observations);
  if (shuffled.held == 0 && fit.held == 0) RC_ASSERT(shuffled == fit);
  RC_ASSERT(shuffled.settings + shuffled.held == fit.settings + fit.held);
}

RC_GTEST_PROP(ProfileLearner, StaysWithinTheNoise, ()) {
  const auto model = any_model();
  const auto noise = *rc::gen::inRange<Bytes>(1, 1_GiB);
  auto observations = grid(model, 4, 4);
  for (auto& seen : observations) seen.used += *rc::gen::inRange<Bytes>(0, 2 * noise + 1);
  const auto fit = fit_of(observations);
  RC_PRE(fit.held == 0U);
  RC_ASSERT(fit.complete());
  const auto slack = static_cast<double>(noise);
  RC_ASSERT(fit.residual <= slack + 1);
  const auto learned = fit.profile("m").value();
  for (const auto& seen : grid(model, 4, 4)) {
    const auto truth = static_cast<double>(seen.used + noise);  // the middle of what was added
    const auto estimate = static_cast<double>(learned.estimate_usage(seen.batch, seen.tokens));
    RC_ASSERT(std::abs(estimate - truth) <= 8 * slack + 1e4);  // a whole byte a token is rounded
  }
}

RC_GTEST_PROP(ProfileLearner, IsNeverNegativeAndAlwaysFinite, ()) {
  std::vector<ProfileObservation> observations;
  for (auto left = *rc::gen::inRange(0, 40); left > 0; --left) {
    const auto count = [] {
      return *rc::gen::oneOf(rc::gen::inRange<std::uint64_t>(0, 4),
                             rc::gen::inRange(std::uint64_t{0}, ProfileLearner::kMostCount + 1));
    };
    observations.push_back({count(), count(), *rc::gen::inRange<Bytes>(0, ProfileLearner::kMostBytes + 1)});
  }
  const auto fit = fit_of(observations, *rc::gen::inRange<Bytes>(0, 1_GiB));
  RC_ASSERT(std::isfinite(fit.residual));
  for (const auto& size : {fit.base, fit.per_batch, fit.per_token}) {
    if (!size) continue;
    RC_ASSERT(size->bytes <= Bytes{1} << 62);
    RC_ASSERT((!size->error || (std::isfinite(*size->error) && *size->error >= 0)));
  }
  RC_ASSERT(fit.complete() == fit.lacking.empty());
  RC_ASSERT(fit.outliers * 4 <= fit.settings);
  RC_ASSERT(fit.held + fit.settings <= fit.observations);
}

RC_GTEST_PROP(ProfileLearner, LeavesOutAFewThatAreFarOff, ()) {
  const auto model = any_model();
  auto observations = grid(model, 4, 4);
  const auto first = *rc::gen::inRange<std::size_t>(0, observations.size());
  const auto second = *rc::gen::inRange<std::size_t>(0, observations.size());
  for (const auto i : {first, second}) observations[i].used += *rc::gen::inRange<Bytes>(1_MiB, 1_TiB);
  const auto fit = fit_of(observations);
  RC_PRE(fit.held == 0U);
  RC_ASSERT(fit.profile("m") == model);
  RC_ASSERT(fit.outliers == (first == second ? 1U : 2U));
}

RC_GTEST_PROP(ProfileLearner, SeesThroughAnyOrderOfAnAllocatorThatKeepsWhatItHas, ()) {
  const auto model = any_model();
  auto observations = grid(model, 3, 3);
  shuffle(observations);
  observations.insert(observations.begin(), seen_of(model, 0, 0));
  const auto fit = fit_of(as_kept(observations));
  if (fit.complete()) RC_ASSERT(fit.profile("m") == model);
  RC_ASSERT(fit.base->bytes == model.base);
}

}  // namespace
}  // namespace dualgpuopt::memory
