#include "predictor/nonnegative_fit.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>

namespace dualgpuopt::memory {
namespace {

constexpr double kDependent = 1e-13;  ///< A column of which the others leave no more than this is one of them.
constexpr int kRefinements = 2;
constexpr int kReweightings = 24;
constexpr double kNarrowing = 0.25;  ///< Of what counts as no difference, from one reweighting to the next.
constexpr double kOutlierFactor = 6;
constexpr double kNoDifference = 0.5;  ///< Bytes.
constexpr std::size_t kOutlierShare = 4;

using Weights = std::vector<double>;

/// Which columns a solution uses.
struct Subset {
  std::array<std::size_t, kMostColumns> columns{};
  std::size_t count = 0;
};

Subset subset_of(unsigned bits, std::size_t columns) {
  Subset subset;
  for (std::size_t i = 0; i < columns; ++i) {
    if ((bits >> i & 1U) != 0) subset.columns[subset.count++] = i;
  }
  return subset;
}

Subset all_of_them(std::size_t columns) { return subset_of((1U << columns) - 1, columns); }

double missed_by(const FitRow& row, const FitColumns& coefficients) {
  return std::inner_product(coefficients.begin(), coefficients.end(), row.columns.begin(), -row.value);
}

std::vector<double> differences(const std::vector<FitRow>& rows, const FitColumns& coefficients) {
  std::vector<double> all(rows.size());
  std::transform(rows.begin(), rows.end(), all.begin(),
                 [&](const FitRow& row) { return std::abs(missed_by(row, coefficients)); });
  return all;
}

/// Q and R of the weighted rows, column by column (modified Gram-Schmidt).
class Factors {
 public:
  Factors(const std::vector<FitRow>& rows, const Weights& weights, Subset subset)
      : rows_(rows), weights_(weights), subset_(subset) {
    for (std::size_t i = 0; i < subset_.count; ++i) add_column(i);
  }

  [[nodiscard]] bool independent() const { return independent_; }

  [[nodiscard]] FitColumns solve() const {
    FitColumns solution{};
    for (int round = 0; round <= kRefinements; ++round) improve(solution);
    return solution;
  }

  /// The diagonal of the inverse of R'R.
  [[nodiscard]] FitColumns variances() const {
    FitColumns variances{};
    for (std::size_t unit = 0; unit < subset_.count; ++unit) {
      FitColumns right{};
      right[unit] = 1;
      const auto column = back_substituted(right);
      for (std::size_t i = 0; i < subset_.count; ++i) variances[subset_.columns[i]] += column[i] * column[i];
    }
    return variances;
  }

 private:
  void add_column(std::size_t i) {
    auto& column = q_[i];
    column.resize(rows_.size());
    for (std::size_t k = 0; k < rows_.size(); ++k)
      column[k] = std::sqrt(weights_[k]) * rows_[k].columns[subset_.columns[i]];
    const double whole = norm(column);
    for (std::size_t j = 0; j < i; ++j) {
      r_[j][i] = std::inner_product(column.begin(), column.end(), q_[j].begin(), 0.0);
      for (std::size_t k = 0; k < rows_.size(); ++k) column[k] -= r_[j][i] * q_[j][k];
    }
    r_[i][i] = norm(column);
    if (!(r_[i][i] > kDependent * whole)) {
      independent_ = false;
      r_[i][i] = 1;
    }
    for (auto& element : column) element /= r_[i][i];
  }

  static double norm(const std::vector<double>& column) {
    return std::sqrt(std::inner_product(column.begin(), column.end(), column.begin(), 0.0));
  }

  /// Adds what the rows still ask for: that gives back the digits that rounding took.
  void improve(FitColumns& solution) const {
    FitColumns right{};
    for (std::size_t k = 0; k < rows_.size(); ++k) {
      const double wanted = -std::sqrt(weights_[k]) * missed_by(rows_[k], solution);
      for (std::size_t i = 0; i < subset_.count; ++i) right[i] += q_[i][k] * wanted;
    }
    const auto change = back_substituted(right);
    for (std::size_t i = 0; i < subset_.count; ++i) solution[subset_.columns[i]] += change[i];
  }

  [[nodiscard]] FitColumns back_substituted(FitColumns right) const {
    for (std::size_t i = subset_.count; i-- > 0;) {
      for (std::size_t j = i + 1; j < subset_.count; ++j) right[i] -= r_[i][j] * right[j];
      right[i] /= r_[i][i];
    }
    return right;
  }

  const std::vector<FitRow>& rows_;
  const Weights& weights_;
  Subset subset_;
  std::array<std::vector<double>, kMostColumns> q_;
  std::array<FitColumns, kMostColumns> r_{};
  bool independent_ = true;
};

double weighted_squares(const std::vector<FitRow>& rows, const Weights& weights, const FitColumns& coefficients) {
  double sum = 0;
  for (std::size_t k = 0; k < rows.size(); ++k) sum += weights[k] * std::pow(missed_by(rows[k], coefficients), 2);
  return sum;
}

bool is_nonnegative(const FitColumns& coefficients) {
  return std::all_of(coefficients.begin(), coefficients.end(), [](double c) { return c >= 0; });
}

FitColumns best_subset(const std::vector<FitRow>& rows, const Weights& weights, std::size_t columns) {
  FitColumns best{};
  double least = weighted_squares(rows, weights, best);
  for (unsigned bits = 1; bits < 1U << columns; ++bits) {
    const Factors factors(rows, weights, subset_of(bits, columns));
    const auto solution = factors.solve();
    const double squares = weighted_squares(rows, weights, solution);
    if (!is_nonnegative(solution) || squares >= least) continue;
    best = solution;
    least = squares;
  }
  return best;
}

FitColumns solve_nonnegative(const std::vector<FitRow>& rows, const Weights& weights, std::size_t columns) {
  const Factors factors(rows, weights, all_of_them(columns));
  const auto plain = factors.solve();
  return is_nonnegative(plain) ? plain : best_subset(rows, weights, columns);
}

/// The line of least absolute differences, near enough to tell outliers.
FitColumns least_absolute(const std::vector<FitRow>& rows, std::size_t columns, FitColumns coefficients) {
  auto missed = differences(rows, coefficients);
  double none = *std::max_element(missed.begin(), missed.end());
  Weights weights(rows.size());
  for (int round = 0; round < kReweightings && none > kNoDifference; ++round) {
    none = std::max(none * kNarrowing, kNoDifference);
    std::transform(missed.begin(), missed.end(), weights.begin(),
                   [&](double difference) { return none / std::max(difference, none); });
    coefficients = solve_nonnegative(rows, weights, columns);
    missed = differences(rows, coefficients);
  }
  return coefficients;
}

double ranked(std::vector<double> values, std::size_t rank) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(rank), values.end());
  return values[rank];
}

/// What no outlier exceeds: several times the median of the differences less those few that a line can always make
/// vanish.
double most_usual(const std::vector<double>& missed, std::size_t columns) {
  const auto middle = columns + (missed.size() - columns - 1) / 2;
  return std::max(kOutlierFactor * ranked(missed, middle), 2 * kNoDifference);
}

/// Weight 0 for what is more, 1 for the others.
Weights up_to(const std::vector<double>& missed, double most) {
  Weights weights(missed.size());
  std::transform(missed.begin(), missed.end(), weights.begin(),
                 [&](double difference) { return difference > most ? 0.0 : 1.0; });
  return weights;
}

/// Weight 0 for outliers, 1 for the others; empty where none are to be left out. The reweighted line is not quite that
/// of least differences, so those that it is farthest from are judged again by the line through the others.
Weights without_outliers(const std::vector<FitRow>& rows, std::size_t columns, const FitColumns& coefficients) {
  if (rows.size() < 2 * columns) return {};
  const auto at_most = rows.size() / kOutlierShare;
  const auto first = differences(rows, least_absolute(rows, columns, coefficients));
  const auto suspects = up_to(first, std::max(most_usual(first, columns), ranked(first, rows.size() - at_most - 1)));
  if (!Factors(rows, suspects, all_of_them(columns)).independent()) return {};
  const auto second = differences(rows, solve_nonnegative(rows, suspects, columns));
  auto weights = up_to(second, most_usual(second, columns));
  const auto outliers = static_cast<std::size_t>(std::count(weights.begin(), weights.end(), 0.0));
  if (outliers == 0 || outliers > at_most) return {};
  return Factors(rows, weights, all_of_them(columns)).independent() ? weights : Weights();
}

/// Each column divided by its largest element, so that tokens and sequences weigh alike.
FitColumns scale(std::vector<FitRow>& rows) {
  FitColumns largest{};
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < kMostColumns; ++i) largest[i] = std::max(largest[i], row.columns[i]);
  }
  for (auto& each : largest) each = each > 0 ? std::exp2(std::ceil(std::log2(each))) : 1;  // exact to divide by
  for (auto& row : rows) {
    for (std::size_t i = 0; i < kMostColumns; ++i) row.columns[i] /= largest[i];
  }
  return largest;
}

FitColumns standard_errors(const std::vector<FitRow>& rows, const Weights& weights, std::size_t columns,
                           double variance) {
  auto errors = Factors(rows, weights, all_of_them(columns)).variances();
  for (auto& error : errors) error = std::sqrt(variance * error);
  return errors;
}

}  // namespace

NonnegativeFit fit_nonnegative(std::vector<FitRow> rows, std::size_t columns) {
  assert(columns >= 1 && columns <= kMostColumns && rows.size() >= columns);
  const auto scales = scale(rows);
  Weights weights(rows.size(), 1.0);
  NonnegativeFit fit;
  fit.coefficients = solve_nonnegative(rows, weights, columns);
  if (auto fewer = without_outliers(rows, columns, fit.coefficients); !fewer.empty()) {
    weights = std::move(fewer);
    fit.coefficients = solve_nonnegative(rows, weights, columns);
  }
  const auto kept = static_cast<std::size_t>(std::accumulate(weights.begin(), weights.end(), 0.0));
  const double squares = weighted_squares(rows, weights, fit.coefficients);
  fit.outliers = rows.size() - kept;
  fit.residual = std::sqrt(squares / static_cast<double>(kept));
  if (kept > columns)
    fit.errors = standard_errors(rows, weights, columns, squares / static_cast<double>(kept - columns));
  for (std::size_t i = 0; fit.errors && i < columns; ++i) (*fit.errors)[i] /= scales[i];
  for (std::size_t i = 0; i < columns; ++i) fit.coefficients[i] /= scales[i];
  return fit;
}

}  // namespace dualgpuopt::memory
