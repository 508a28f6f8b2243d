#include "dualgpuopt/memory/recovery/rung_times.h"

#include <gtest/gtest.h>

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using enum RecoveryStrategy;

Decision climb_of(RecoveryStrategy strategy, Duration took, RungOutcome outcome = RungOutcome::Freed) {
  Decision decision;
  decision.end = DecisionEnd::TargetReached;
  decision.rungs.push_back({strategy, outcome, {}, {}, {}, took});
  return decision;
}

TEST(RungTimes, CountWhatHasNotRunWithItsLimit) {
  const RungTimes times({});
  EXPECT_EQ(times.of(Offload), 10500ms) << "10 s, and 0.5 s to settle";
}

TEST(RungTimes, CountWithTheLimitsOfTheRung) {
  LadderConfig config;
  config.limits[Offload] = {.time_limit = std::chrono::seconds(30), .settle = std::chrono::seconds(2)};
  EXPECT_EQ(RungTimes(config).of(Offload), 32s);
  EXPECT_EQ(RungTimes(config).of(ClearCache), 10500ms);
}

TEST(RungTimes, AreTheLongestOfTheLastRuns) {
  RungTimes times({});
  times.add(climb_of(ClearCache, 4s));
  for (std::size_t i = 1; i < RungTimes::kRemembered; ++i) times.add(climb_of(ClearCache, 1s));
  EXPECT_EQ(times.of(ClearCache), 4s);
  times.add(climb_of(ClearCache, 2s));
  EXPECT_EQ(times.of(ClearCache), 2s);
  EXPECT_EQ(times.of(ReduceBatch), 10500ms);
}

TEST(RungTimes, LeaveOutWhatDidNotRunOrWasCutShort) {
  RungTimes times({});
  times.add(climb_of(ClearCache, 1s, RungOutcome::WouldRun));
  times.add(climb_of(ClearCache, 0s, RungOutcome::TimedOut));  // busy: it was not called
  auto stopped = climb_of(ClearCache, 1s, RungOutcome::Unverified);
  stopped.end = DecisionEnd::Stopped;
  times.add(stopped);
  EXPECT_EQ(times.of(ClearCache), 10500ms);
}

TEST(RungTimes, OfALadderAreTheSumWithoutTerminate) {
  RungTimes times({});
  times.add(climb_of(ClearCache, 1s));
  times.add(climb_of(Offload, 3s));
  EXPECT_EQ(times.of_all({ClearCache, Offload, Terminate}), 4s);
  EXPECT_EQ(times.of_all({}), 0s);
}

}  // namespace
}  // namespace dualgpuopt::memory
