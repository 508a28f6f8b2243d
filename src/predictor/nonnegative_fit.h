// Least squares with no coefficient negative, and a few outliers left out; private to the library.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <vector>

namespace dualgpuopt::memory {

inline constexpr std::size_t kMostColumns = 3;
using FitColumns = std::array<double, kMostColumns>;

/// One equation: the sum of coefficients times columns is the value. None negative.
struct FitRow {
  FitColumns columns{};
  double value = 0;
};

struct NonnegativeFit {
  FitColumns coefficients{};
  std::optional<FitColumns> errors;  ///< Standard errors; empty with no more rows than coefficients.
  double residual = 0;               ///< Root mean square over the rows that are no outliers.
  std::size_t outliers = 0;
};

/// The first `columns` columns count, 1 to 3, and must be independent over the rows. An optimum with coefficients that
/// must not be negative is the plain least-squares solution of the columns whose coefficients are not 0 (C. Lawson,
/// R. Hanson, "Solving Least Squares Problems", 1974, chapter 23), so the best of the at most seven subsets is it.
///
/// Outliers are told by the line of least absolute differences, found by reweighting (E. Schlossmacher, "An Iterative
/// Technique for Absolute Deviations Curve Fitting", 1973): ProfileLearner says which. Deterministic, linear in the
/// rows.
[[nodiscard]] NonnegativeFit fit_nonnegative(std::vector<FitRow> rows, std::size_t columns);

}  // namespace dualgpuopt::memory
