#include "dualgpuopt/memory/recovery/rung_budget.h"

#include <gtest/gtest.h>

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using enum RecoveryStrategy;

class RungBudgetTest : public ::testing::Test {
 protected:
  /// One climb more, in which this rung ended so.
  void climb(RecoveryStrategy strategy, RungOutcome outcome, int gpu = 0) {
    Decision decision;
    decision.gpu = gpu;
    decision.rungs.push_back({strategy, outcome, {}, {}, {}, 1s});
    budget_.add(decision, now_);
  }

  [[nodiscard]] bool rests(RecoveryStrategy strategy, Duration later = {}, int gpu = 0) const {
    return budget_.resting(gpu, now_ + later).contains(strategy);
  }

  LadderConfig config_;
  RungBudget budget_{config_};
  MonoTime now_{100s};
};

TEST_F(RungBudgetTest, LetsARungRestThatFreedNothingTwice) {
  climb(ClearCache, RungOutcome::FreedNothing);
  EXPECT_FALSE(rests(ClearCache));
  climb(ClearCache, RungOutcome::Failed);
  EXPECT_TRUE(rests(ClearCache));
  EXPECT_TRUE(rests(ClearCache, 1min - 1ms));
  EXPECT_FALSE(rests(ClearCache, 1min));
  EXPECT_FALSE(rests(ReduceBatch));
  EXPECT_FALSE(rests(ClearCache, 0s, 1)) << "another device";
  EXPECT_EQ(budget_.resting(0, now_).at(ClearCache).failures, 2U);
}

TEST_F(RungBudgetTest, DoublesTheRestUpToAnHour) {
  climb(ClearCache, RungOutcome::FreedNothing);
  for (const auto rest : {1min, 2min, 4min, 8min, 16min, 32min, 60min, 60min}) {
    climb(ClearCache, RungOutcome::TimedOut);
    EXPECT_TRUE(rests(ClearCache, rest - 1ms));
    EXPECT_FALSE(rests(ClearCache, rest));
  }
}

TEST_F(RungBudgetTest, BeginsAnewWhenTheRungFreesSomething) {
  climb(ClearCache, RungOutcome::FreedNothing);
  climb(ClearCache, RungOutcome::Freed);
  climb(ClearCache, RungOutcome::FreedNothing);
  EXPECT_FALSE(rests(ClearCache));
}

TEST_F(RungBudgetTest, CountsOnlyWhatWasTriedAndMeasured) {
  for (const auto outcome : {RungOutcome::Skipped, RungOutcome::WouldRun, RungOutcome::Unverified}) {
    for (int i = 0; i < 3; ++i) climb(ClearCache, outcome);
  }
  EXPECT_FALSE(rests(ClearCache));
}

TEST_F(RungBudgetTest, FollowsTheRungsOwnLimits) {
  config_.limits[Offload] = {.attempts = 1, .rest = 10s};
  config_.limits[ReduceBatch] = {.attempts = 0};
  climb(Offload, RungOutcome::FreedNothing);
  EXPECT_TRUE(rests(Offload, 9s));
  EXPECT_FALSE(rests(Offload, 10s));
  for (int i = 0; i < 9; ++i) climb(ReduceBatch, RungOutcome::FreedNothing);
  EXPECT_FALSE(rests(ReduceBatch)) << "it never does";
}

TEST_F(RungBudgetTest, BeginsAnewForAnotherStrategy) {
  for (const auto rung : {ClearCache, Offload}) {
    for (int i = 0; i < 2; ++i) climb(rung, RungOutcome::FreedNothing);
  }
  budget_.forget(ClearCache);
  EXPECT_FALSE(rests(ClearCache));
  EXPECT_TRUE(rests(Offload));
}

TEST_F(RungBudgetTest, HasNoSayWhereCallbacksAreBelieved) {
  config_.verification = Verification::Callback;
  for (int i = 0; i < 9; ++i) climb(ClearCache, RungOutcome::FreedNothing);
  EXPECT_FALSE(rests(ClearCache));
}

}  // namespace
}  // namespace dualgpuopt::memory
