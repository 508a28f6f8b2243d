// When a capacity will be reached, as one distribution pooled from all that is known.
#pragma once

#include <optional>

#include "predictor/horizon_grid.h"
#include "predictor/trend.h"

namespace dualgpuopt::memory {

/// No forecast looks further than this: what lies beyond counts as none foreseen.
inline constexpr double kFurthestSeconds = 86400;

/// The distribution of the time until `capacity` is reached: a linear pool (M. Stone, "The opinion pool", 1961) of a
/// background, which has no trend, and of the trend by as much as it is reliable; or else a staircase gets there, by as
/// much as that is reliable. Both may have a reliability of 0.
class Outlook {
 public:
  Outlook(const RiskCurve& background, const TrendEstimate& trend, const TrendEstimate& staircase, double capacity);

  /// P(reached within `seconds`); non-decreasing.
  [[nodiscard]] double probability(double seconds) const;
  /// The time by which the probability is `probability`; empty if that is not within kFurthestSeconds.
  [[nodiscard]] std::optional<double> quantile(double probability) const;

 private:
  [[nodiscard]] double join(double background, double seconds) const;
  /// The same within a stretch of time at whose ends the probability is under and not under the one looked for.
  [[nodiscard]] double search(double probability, double from, double to) const;

  RiskCurve background_;
  TrendEstimate trend_;
  TrendEstimate staircase_;
  double capacity_;
};

}  // namespace dualgpuopt::memory
