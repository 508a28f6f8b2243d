#include "predictor/plateau_log.h"

#include <gtest/gtest.h>

namespace dualgpuopt::memory {
namespace {

/// A job of `high` bytes for `busy` samples after `idle` samples of `low`, `times` times, a second apart.
double add_jobs(PlateauLog& log, int times, int idle, int busy, double low, double high, double time = 0) {
  for (int n = 0; n < times; ++n) {
    for (int i = 0; i < idle; ++i) log.add(time++, low);
    for (int i = 0; i < busy; ++i) log.add(time++, high);
  }
  return time;
}

/// The past alone.
RiskCurve crossing(const PlateauLog& log, double capacity) { return log.waits_for(capacity).share({}); }

TEST(PlateauLog, KnowsNothingBeforeAnythingHappened) {
  PlateauLog log;
  EXPECT_EQ(crossing(log, 100).back(), 0.0F);
  for (int i = 0; i < 100; ++i) log.add(i, 50);
  EXPECT_EQ(log.size(), 1U);
  EXPECT_EQ(crossing(log, 51).back(), 0.0F);
}

TEST(PlateauLog, KeepsAPlateauAsOneWhateverItsNoise) {
  PlateauLog log;
  for (int i = 0; i < 1000; ++i) log.add(i, 1000 + (i % 3) * 8);
  EXPECT_EQ(log.size(), 1U);
  EXPECT_EQ(log.peak(), 1016);
  log.add(1000, 1100);
  EXPECT_EQ(log.size(), 2U);
}

TEST(PlateauLog, RemembersWhatFollowedStatesLikeThisOne) {
  PlateauLog log;
  auto time = add_jobs(log, 5, 20, 20, 10, 100);
  for (int i = 0; i < 15; ++i) log.add(time++, 10);
  // 14 s into the sixth pause, each of the five before it ended 6 s later.
  const auto curve = crossing(log, 90);
  EXPECT_LT(curve[horizon_index(5)], 0.05F);
  EXPECT_GT(curve[horizon_index(8)], 0.95F);
  EXPECT_EQ(crossing(log, 101).back(), 0.0F);
}

TEST(PlateauLog, CountsOnlyPlateausThatLastedAsLong) {
  PlateauLog log;
  auto time = add_jobs(log, 5, 20, 20, 10, 100);
  for (int i = 0; i < 30; ++i) log.add(time++, 10);
  EXPECT_LT(crossing(log, 90).back(), 0.01F);
}

TEST(PlateauLog, IsNotMisledByPlateausAboveThePresentOne) {
  PlateauLog log;
  // Long jobs at 80 that go on to 100; short pauses at 10 that only ever lead to 80.
  auto time = 0.0;
  for (int n = 0; n < 4; ++n) {
    for (int i = 0; i < 10; ++i) log.add(time++, 10);
    for (int i = 0; i < 300; ++i) log.add(time++, 80);
    for (int i = 0; i < 10; ++i) log.add(time++, 100);
  }
  for (int i = 0; i < 5; ++i) log.add(time++, 10);
  EXPECT_LT(crossing(log, 95)[horizon_index(60)], 0.01F);
  EXPECT_GT(crossing(log, 75)[horizon_index(60)], 0.99F);
}

TEST(PlateauLog, KnowsWhenItWasAtACapacityLast) {
  PlateauLog log;
  EXPECT_EQ(log.visits_to(50).count, 0U);
  auto time = add_jobs(log, 3, 20, 60, 10, 100);
  for (int i = 0; i < 15; ++i) log.add(time++, 10);
  const auto visits = log.visits_to(90);
  EXPECT_EQ(visits.count, 3U);
  EXPECT_NEAR(visits.since_left, 14, 1e-6);
  EXPECT_NEAR(visits.total, 180, 1e-6);
  ASSERT_TRUE(visits.period);
  EXPECT_NEAR(*visits.period, 80, 1e-6);
  EXPECT_EQ(log.visits_to(101).count, 0U);
}

TEST(PlateauLog, CountsALittleDipAsTheSameVisit) {
  PlateauLog log;
  for (int i = 0; i < 90; ++i) log.add(i, i % 30 == 15 ? 92 : 100);
  for (int i = 90; i < 100; ++i) log.add(i, 10);
  const auto visits = log.visits_to(98);
  EXPECT_EQ(visits.count, 1U);
  EXPECT_FALSE(visits.period);
  EXPECT_NEAR(visits.total, 87, 1e-6);  // without the dips
}

TEST(PlateauLog, ForgetsAHighThatHasLeftTheLog) {
  PlateauLog log;
  log.add(0, 1e18);
  for (int i = 1; i < 200; ++i) log.add(i, i % 2 == 0 ? 10 : 100);
  EXPECT_EQ(log.size(), PlateauLog::kPlateaus);
  EXPECT_EQ(log.peak(), 100);
}

TEST(PlateauLog, TakesTheFirstMomentAboveTheTargetWithinAPlateau) {
  PlateauLog log;
  double time = 0;
  // The job creeps: 100 when it starts, 101 after ten seconds.
  for (int n = 0; n < 5; ++n) {
    for (int i = 0; i < 10; ++i) log.add(time++, 10);
    for (int i = 0; i < 20; ++i) log.add(time++, i < 10 ? 100 : 101);
  }
  log.add(time, 10);
  EXPECT_GT(crossing(log, 100)[horizon_index(10)], 0.95F);
  EXPECT_LT(crossing(log, 100.5)[horizon_index(16)], 0.05F);
  EXPECT_GT(crossing(log, 100.5)[horizon_index(20)], 0.95F);
}

}  // namespace
}  // namespace dualgpuopt::memory
