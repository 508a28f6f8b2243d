#include "predictor/staircase.h"

#include <gtest/gtest.h>

namespace dualgpuopt::memory {
namespace {

/// Equal steps of `rise` every `interval` seconds, sampled each second, up to `seconds`.
Staircase climbed(double seconds, double interval, double rise, double start = 1000) {
  Staircase steps;
  for (double t = 0; t <= seconds; ++t) steps.add(t, start + rise * static_cast<int>(t / interval));
  return steps;
}

TEST(Staircase, IsOneFromTheThirdStepOn) {
  EXPECT_EQ(climbed(25, 10, 500).estimate(9000).reliability, 0);
  const auto steps = climbed(30, 10, 500);
  const auto line = steps.estimate(9000);
  EXPECT_GT(line.reliability, 0);
  EXPECT_NEAR(line.slope, 50, 1e-6);
  EXPECT_NEAR(steps.mean_step(), 500, 1e-6);
  EXPECT_NEAR(steps.mean_interval(), 10, 1e-6);
}

TEST(Staircase, TrustsItLessTheMoreStepsAreMissing) {
  const auto steps = climbed(30, 10, 500);
  EXPECT_NEAR(steps.estimate(3000).reliability, 4.0 / 5, 1e-6);   // one more after three
  EXPECT_NEAR(steps.estimate(8500).reliability, 4.0 / 16, 1e-6);  // twelve more
}

TEST(Staircase, EndsWhenTheNextStepIsOverdueOrTheUseFalls) {
  auto waiting = climbed(30, 10, 500);
  for (double t = 31; t <= 45; ++t) waiting.add(t, 2500);
  EXPECT_GT(waiting.estimate(3000).reliability, 0);
  waiting.add(46, 2500);
  EXPECT_EQ(waiting.estimate(3000).reliability, 0);
  auto fallen = climbed(30, 10, 500);
  fallen.add(31, 1500);
  EXPECT_EQ(fallen.estimate(3000).reliability, 0);
  EXPECT_EQ(fallen.mean_step(), 0);
}

TEST(Staircase, TakesARampForOneStep) { EXPECT_EQ(climbed(60, 1, 50).estimate(9000).reliability, 0); }

TEST(Staircase, DoesNotTrustIrregularSteps) {
  Staircase steps;
  double t = 0;
  double used = 1000;
  for (const auto& [pause, rise] : {std::pair{30, 900}, {2, 20}, {3, 20}, {40, 20}, {2, 1200}, {2, 30}}) {
    for (int i = 0; i < pause; ++i) steps.add(t++, used);
    used += rise;
  }
  steps.add(t, used);
  EXPECT_EQ(steps.estimate(9000).reliability, 0);
}

TEST(Staircase, DoesNotTakeNoiseForSteps) {
  Staircase steps;
  for (int t = 0; t < 100; ++t) steps.add(t, 1000 + t % 4);
  EXPECT_EQ(steps.mean_step(), 0);
}

}  // namespace
}  // namespace dualgpuopt::memory
