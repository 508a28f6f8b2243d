#include "predictor/trend.h"

#include <gtest/gtest.h>

#include <cmath>

#include "predictor/series.h"

namespace dualgpuopt::memory {
namespace {

template <typename Use>
TrendEstimate after(int samples, double interval, Use use) {
  Trend trend;
  for (int i = 0; i < samples; ++i) trend.add(i * interval, use(i));
  return trend.estimate();
}

TEST(Trend, FindsALineExactlyAtAnyInterval) {
  for (const double interval : {0.1, 1.0, 15.0, 60.0}) {
    const auto line = after(10, interval, [&](int i) { return 1e9 + 5e7 * interval * i; });
    EXPECT_NEAR(line.reliability, 1, 1e-6) << interval;
    EXPECT_NEAR(line.slope, 5e7, 1) << interval;
    EXPECT_NEAR(line.level, 1e9 + 5e7 * interval * 9, 10) << interval;
  }
}

TEST(Trend, FindsALineThroughIrregularSamples) {
  Trend trend;
  Scatter scatter;
  double time = 0;
  for (int i = 0; i < 30; ++i) {
    time += 0.1 + 5 * scatter();
    trend.add(time, 1e9 + 3e6 * time);
  }
  EXPECT_NEAR(trend.estimate().slope, 3e6, 10);
  EXPECT_NEAR(trend.estimate().level, 1e9 + 3e6 * time, 100);
}

TEST(Trend, FindsALineThroughNoise) {
  Scatter scatter;
  const auto line = after(300, 1, [&](int i) { return 1e9 + 1e7 * i + 2e8 * (scatter() - 0.5); });
  EXPECT_GT(line.reliability, 0.8);
  EXPECT_NEAR(line.slope, 1e7, 4 * line.slope_deviation);
  EXPECT_NEAR(line.noise, 2e8 / std::sqrt(12.0), 4e7);
}

TEST(Trend, LeavesASingleOutlierOut) {
  const auto line = after(30, 1, [](int i) { return 1e9 + 1e7 * i + (i == 20 ? 5e9 : 0); });
  EXPECT_NEAR(line.slope, 1e7, 2e5);
  EXPECT_GT(line.reliability, 0.9);
}

TEST(Trend, TrustsNeitherOneStepNorTwoNorNoiseNorTooFewSamples) {
  for (int age = 1; age < 200; ++age) {
    const auto step = after(100 + age, 1, [](int i) { return i < 100 ? 1e9 : 9e9; });
    EXPECT_EQ(step.reliability, 0) << age;
    const auto two = after(60 + age, 1, [](int i) { return i < 30 ? 1e9 : i < 60 ? 5e9 : 9e9; });
    EXPECT_LT(two.reliability, 0.02) << age;
  }
  Scatter scatter;
  EXPECT_EQ(after(200, 1, [&](int) { return 1e9 * scatter(); }).reliability, 0);
  EXPECT_EQ(after(5, 1, [](int i) { return 1e9 * i; }).reliability, 0);
  EXPECT_EQ(after(200, 1, [&](int) { return 1e9; }).reliability, 0);
}

TEST(TrendEstimate, CrossesAtItsTimesPast) {
  const TrendEstimate line{1, 100, 2, 0.25, 5};
  for (const double target : {90.0, 110.0, 200.0}) {
    for (const double z : {-2.0, -0.5, 0.0, 0.5, 2.0}) {
      const double time = line.time_past(target, z);
      if (time <= 0) continue;
      EXPECT_NEAR(line.crossing(target, time), 0.5 * std::erfc(-z / std::sqrt(2.0)), 1e-6) << target << " " << z;
    }
  }
  EXPECT_EQ(line.time_past(200, 0), 50);
}

TEST(TrendEstimate, NeverArrivesWhenItFallsOrIsTooUnsure) {
  EXPECT_TRUE(std::isinf(TrendEstimate({1, 100, -2, 0, 0}).time_past(200, 0)));
  EXPECT_TRUE(std::isinf(TrendEstimate({1, 100, 2, 1, 0}).time_past(200, 3)));
}

TEST(TrendEstimate, IsAStepWithoutUncertainty) {
  const TrendEstimate line{1, 100, 2, 0, 0};
  EXPECT_EQ(line.crossing(200, 49.9), 0);
  EXPECT_EQ(line.crossing(200, 50.1), 1);
}

}  // namespace
}  // namespace dualgpuopt::memory
