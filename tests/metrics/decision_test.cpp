#include "dualgpuopt/memory/metrics/decision.h"

#include <gtest/gtest.h>

namespace dualgpuopt::memory {
namespace {

TEST(RecoveryStrategy, IsReadBackFromItsName) {
  for (const auto strategy : {RecoveryStrategy::ClearCache, RecoveryStrategy::ReduceBatch, RecoveryStrategy::Offload,
                              RecoveryStrategy::Terminate}) {
    EXPECT_EQ(parse_recovery_strategy(to_string(strategy)), strategy);
  }
  EXPECT_EQ(parse_recovery_strategy("CLEAR_CACHE"), RecoveryStrategy::ClearCache);
}

TEST(RecoveryStrategy, RefusesOtherNamesAndListsItsOwn) {
  EXPECT_EQ(parse_recovery_strategy("reboot").error().message(),
            "cannot read \"reboot\" as a recovery strategy; expected clear_cache, reduce_batch, offload or terminate");
}

TEST(ActionMode, HasAName) {
  EXPECT_EQ(to_string(ActionMode::DryRun), "dry_run");
  EXPECT_EQ(to_string(ActionMode::Execute), "execute");
}

TEST(RungOutcome, HasAName) {
  EXPECT_EQ(to_string(RungOutcome::WouldRun), "would_run");
  EXPECT_EQ(to_string(RungOutcome::Skipped), "skipped");
  EXPECT_EQ(to_string(RungOutcome::Freed), "freed");
  EXPECT_EQ(to_string(RungOutcome::FreedNothing), "freed_nothing");
  EXPECT_EQ(to_string(RungOutcome::Failed), "failed");
  EXPECT_EQ(to_string(RungOutcome::TimedOut), "timed_out");
  EXPECT_EQ(to_string(RungOutcome::Unverified), "unverified");
}

TEST(DecisionEnd, HasAName) {
  EXPECT_EQ(to_string(DecisionEnd::TargetReached), "target_reached");
  EXPECT_EQ(to_string(DecisionEnd::NothingToDo), "nothing_to_do");
  EXPECT_EQ(to_string(DecisionEnd::LadderExhausted), "ladder_exhausted");
  EXPECT_EQ(to_string(DecisionEnd::NoRungs), "no_rungs");
  EXPECT_EQ(to_string(DecisionEnd::DryRun), "dry_run");
  EXPECT_EQ(to_string(DecisionEnd::MeasurementLost), "measurement_lost");
  EXPECT_EQ(to_string(DecisionEnd::Stopped), "stopped");
}

}  // namespace
}  // namespace dualgpuopt::memory
