#include "predictor/normal_tail.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace dualgpuopt::memory {
namespace {

TEST(FastExp, AgreesWithTheStandardLibrary) {
  for (float x = kLeastExponent; x <= 0; x += 0.013F) {
    EXPECT_NEAR(fast_exp(x) / std::exp(static_cast<double>(x)), 1, x > -10 ? 1e-6 : 1e-5) << x;
  }
  EXPECT_EQ(fast_exp(0), 1.0F);
}

TEST(ScaledNormalTail, HasASmallRelativeErrorHoweverFarOut) {
  for (float x = 0; x < 30; x += 0.01F) {
    const auto wide = static_cast<double>(x);
    const double exact = 0.5 * std::erfc(wide / std::sqrt(2.0)) * std::exp(0.5 * wide * wide);
    EXPECT_NEAR(scaled_normal_tail(x) / exact, 1, 3e-6) << x;
  }
  EXPECT_NEAR(scaled_normal_tail(1e6F) * 1e6, 1 / std::sqrt(2 * std::acos(-1.0)), 1e-5);
  EXPECT_EQ(scaled_normal_tail(std::numeric_limits<float>::infinity()), 0.0F);
}

TEST(NormalCdf, AgreesWithTheStandardLibraryAndNeverLeavesZeroToOne) {
  for (float x = -9; x < 9; x += 0.01F) {
    EXPECT_NEAR(normal_cdf(x), 0.5 * std::erfc(-static_cast<double>(x) / std::sqrt(2.0)), 2e-6) << x;
  }
  for (const float x : {-1e30F, -13.0F, 13.0F, 1e30F, std::numeric_limits<float>::infinity()}) {
    EXPECT_NEAR(normal_cdf(x), x < 0 ? 0 : 1, 2e-7) << x;
  }
}

}  // namespace
}  // namespace dualgpuopt::memory
