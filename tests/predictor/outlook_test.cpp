#include "predictor/outlook.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace dualgpuopt::memory {
namespace {

RiskCurve flat(float value) {
  RiskCurve curve;
  curve.fill(value);
  return curve;
}

TEST(Outlook, IsTheBackgroundWithoutATrend) {
  const Outlook outlook(flat(0.3F), TrendEstimate{0, 50, 1, 0, 0}, {}, 100);
  EXPECT_FLOAT_EQ(static_cast<float>(outlook.probability(60)), 0.3F);
  EXPECT_EQ(outlook.probability(0), 0);
  EXPECT_EQ(outlook.probability(-1), 0);
  EXPECT_FALSE(outlook.quantile(0.5));
  EXPECT_TRUE(outlook.quantile(0.2));
}

TEST(Outlook, IsTheTrendWhereThatIsCertain) {
  const Outlook outlook(flat(0.3F), TrendEstimate{1, 50, 1, 0, 0}, {}, 100);
  EXPECT_EQ(outlook.probability(49), 0);
  EXPECT_EQ(outlook.probability(51), 1);
  EXPECT_NEAR(outlook.quantile(0.5).value_or(0), 50, 0.1);
}

TEST(Outlook, LeavesAFallingTrendOut) {
  const Outlook outlook(flat(0.3F), TrendEstimate{1, 50, -1, 0, 0}, {}, 100);
  EXPECT_FLOAT_EQ(static_cast<float>(outlook.probability(60)), 0.3F);
}

TEST(Outlook, ForeseesNothingBeyondADay) {
  EXPECT_NEAR(Outlook(flat(0), TrendEstimate{1, 0, 1, 0, 0}, {}, 86000).quantile(0.5).value_or(0), 86000, 100);
  EXPECT_FALSE(Outlook(flat(0), TrendEstimate{1, 0, 1, 0, 0}, {}, 87000).quantile(0.5));
}

RC_GTEST_PROP(Outlook, HasQuantilesThatMatchItsProbabilities, ()) {
  RiskCurve background{};
  float value = 0;
  for (auto& point : background)
    point = value = value + (1 - value) * 0.001F * static_cast<float>(*rc::gen::inRange(0, 100));
  TrendEstimate trend;
  trend.reliability = 0.01 * *rc::gen::inRange(0, 101);
  trend.slope = *rc::gen::inRange(-10, 1000);
  trend.slope_deviation = *rc::gen::inRange(0, 100);
  trend.noise = *rc::gen::inRange(1, 1000);
  const Outlook outlook(background, trend, {}, 10'000);
  double last = 0;
  for (const double probability : {0.1, 0.5, 0.9}) {
    const auto time = outlook.quantile(probability);
    if (!time) {
      RC_ASSERT(outlook.probability(kFurthestSeconds) < probability);
      continue;
    }
    RC_ASSERT(*time >= last);
    RC_ASSERT(outlook.probability(*time * 1.002) >= probability - 0.002);
    RC_ASSERT(outlook.probability(*time * 0.998) <= probability + 0.002);
    last = *time;
  }
}

}  // namespace
}  // namespace dualgpuopt::memory
