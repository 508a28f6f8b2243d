#include "predictor/horizon_grid.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <limits>

namespace dualgpuopt::memory {
namespace {

TEST(HorizonGrid, ReachesBeyondADay) {
  EXPECT_EQ(kHorizons.front(), 0.125F);
  EXPECT_GT(kHorizons.back(), 86400.0F);
  for (std::size_t k = 0; k < kHorizonCount; ++k) {
    EXPECT_NEAR(kRootHorizons[k] * kRootHorizons[k] / kHorizons[k], 1, 1e-6);
  }
}

TEST(HorizonIndex, FindsEveryHorizonItself) {
  for (std::size_t k = 0; k < kHorizonCount; ++k) EXPECT_EQ(horizon_index(kHorizons[k]), k);
  EXPECT_EQ(horizon_index(-1), 0U);
  EXPECT_EQ(horizon_index(0), 0U);
  EXPECT_EQ(horizon_index(1e5), kHorizonCount);
  EXPECT_EQ(horizon_index(std::numeric_limits<double>::infinity()), kHorizonCount);
}

RC_GTEST_PROP(HorizonIndex, GivesTheFirstHorizonThatIsNotShorter, ()) {
  const auto seconds = static_cast<float>(*rc::gen::inRange(0, 92'000'000)) * 1e-3F;
  const auto k = horizon_index(seconds);
  RC_ASSERT(kHorizons[k] >= seconds);
  RC_ASSERT((k == 0 || kHorizons[k - 1] < seconds));
}

TEST(ValueAt, DrawsStraightLinesFromZero) {
  RiskCurve curve{};
  curve.fill(0.5F);
  curve.back() = 0.75F;
  EXPECT_EQ(value_at(curve, -1), 0);
  EXPECT_EQ(value_at(curve, 0), 0);
  EXPECT_DOUBLE_EQ(value_at(curve, 0.0625), 0.25);
  EXPECT_DOUBLE_EQ(value_at(curve, 60), 0.5);
  EXPECT_EQ(value_at(curve, 1e9), 0.75);
}

}  // namespace
}  // namespace dualgpuopt::memory
