#include "predictor/nonnegative_fit.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

namespace dualgpuopt::memory {
namespace {

double squares(const std::vector<FitRow>& rows, const FitColumns& c) {
  double sum = 0;
  for (const auto& row : rows) {
    const double missed = row.columns[0] * c[0] + row.columns[1] * c[1] + row.columns[2] * c[2] - row.value;
    sum += missed * missed;
  }
  return sum;
}

/// Rows {1, x, y} over a grid, without values.
std::vector<FitRow> grid(int width, int height) {
  std::vector<FitRow> rows;
  for (int x = 0; x < width; ++x) {
    for (int y = 0; y < height; ++y) rows.push_back({{1, static_cast<double>(x), static_cast<double>(y * y)}, 0});
  }
  return rows;
}

TEST(FitNonnegative, SolvesWhatOneColumnAsks) {
  const auto fit = fit_nonnegative({{{1, 0, 0}, 4}, {{1, 0, 0}, 8}}, 1);
  EXPECT_DOUBLE_EQ(fit.coefficients[0], 6);
  EXPECT_DOUBLE_EQ(fit.residual, 2);
  ASSERT_TRUE(fit.errors);
  EXPECT_DOUBLE_EQ((*fit.errors)[0], 2) << "the deviation sqrt(8) by the square root of two rows";
}

TEST(FitNonnegative, KnowsNoErrorWithoutARowToSpare) {
  const auto fit = fit_nonnegative({{{1, 1, 0}, 5}, {{1, 3, 0}, 9}}, 2);
  EXPECT_NEAR(fit.coefficients[0], 3, 1e-12);
  EXPECT_NEAR(fit.coefficients[1], 2, 1e-12);
  EXPECT_FALSE(fit.errors);
}

/// The textbook's: slope and its standard error of y = 1 3 2 5 4 over x = 0 to 4.
TEST(FitNonnegative, KnowsTheStandardErrorOfASlope) {
  std::vector<FitRow> rows;
  const std::array values{1.0, 3.0, 2.0, 5.0, 4.0};
  for (std::size_t i = 0; i < values.size(); ++i) rows.push_back({{1, static_cast<double>(i), 0}, values[i]});
  const auto fit = fit_nonnegative(rows, 2);
  EXPECT_NEAR(fit.coefficients[0], 1.4, 1e-12);
  EXPECT_NEAR(fit.coefficients[1], 0.8, 1e-12);
  EXPECT_NEAR((*fit.errors)[1], std::sqrt(3.6 / 3 / 10), 1e-12);
  EXPECT_NEAR((*fit.errors)[0], std::sqrt(3.6 / 3 * (1.0 / 5 + 4.0 / 10)), 1e-12);
}

TEST(FitNonnegative, PutsAFallingLineAtItsMean) {
  const auto fit = fit_nonnegative({{{1, 0, 0}, 9}, {{1, 1, 0}, 6}, {{1, 2, 0}, 3}}, 2);
  EXPECT_NEAR(fit.coefficients[0], 6, 1e-12);
  EXPECT_EQ(fit.coefficients[1], 0);
}

TEST(FitNonnegative, LeavesOutWhatIsFarOff) {
  auto rows = grid(3, 3);
  for (auto& row : rows) row.value = 100 + 10 * row.columns[1] + 2 * row.columns[2];
  rows[4].value += 1e9;
  rows[7].value -= 50;
  const auto fit = fit_nonnegative(rows, 3);
  EXPECT_EQ(fit.outliers, 2U);
  EXPECT_NEAR(fit.coefficients[0], 100, 1e-9);
  EXPECT_NEAR(fit.coefficients[1], 10, 1e-9);
  EXPECT_NEAR(fit.coefficients[2], 2, 1e-9);
}

TEST(FitNonnegative, LeavesOutNothingThatOnlyItTells) {
  std::vector<FitRow> rows(8, FitRow{{1, 1, 0}, 10});
  rows.push_back({{1, 5, 0}, 90});
  const auto fit = fit_nonnegative(rows, 2);
  EXPECT_EQ(fit.outliers, 0U);
  EXPECT_NEAR(fit.coefficients[1], 80.0 / 9, 10) << "and not the slope of one point alone";
}

TEST(FitNonnegative, LeavesOutNothingWhereMuchIsFarOff) {
  auto rows = grid(3, 3);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i].value = i % 3 == 0 ? 1e6 : 10;
  const auto fit = fit_nonnegative(rows, 3);
  EXPECT_EQ(fit.outliers, 0U);
  EXPECT_GT(fit.residual, 1e5) << "and says so";
}

RC_GTEST_PROP(FitNonnegative, IsNeverNegativeAndNothingNearbyIsBetter, ()) {
  auto rows = grid(3, 1);  // too few to leave any out
  rows.push_back({{1, 2, 7}, 0});
  rows.push_back({{1, 0, 3}, 0});
  for (auto& row : rows) row.value = *rc::gen::inRange(-1000, 1000);
  const auto fit = fit_nonnegative(rows, 3);
  const double least = squares(rows, fit.coefficients);
  RC_ASSERT(std::abs(fit.residual * fit.residual * 5 - least) <= 1e-6 * (1 + least));
  for (std::size_t i = 0; i < 3; ++i) {
    RC_ASSERT(fit.coefficients[i] >= 0);
    for (const double step : {-0.5, -0.01, 0.01, 0.5}) {
      auto other = fit.coefficients;
      other[i] = std::max(0.0, other[i] + step);
      RC_ASSERT(squares(rows, other) >= least - 1e-6 * (1 + least));
    }
  }
}

}  // namespace
}  // namespace dualgpuopt::memory
