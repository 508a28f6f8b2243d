// How long it took: an empirical distribution of waiting times, joined with what is expected before anything was seen.
#pragma once

#include <array>
#include <cstddef>

#include "predictor/horizon_grid.h"

namespace dualgpuopt::memory {

/// Something that may come, at a rate that falls with the time since the last change: the probability that it comes
/// within h, `since` seconds after that change, is about share * h / (since + settling + h).
struct Arrival {
  double share = 0;     ///< 0 to 1: how much of what may come is this.
  double since = 0;     ///< Seconds.
  double settling = 1;  ///< Seconds; the time in which half of it comes at first.
};

/// What is expected before anything was seen, from two independent causes. It weighs as much as `weight` observations.
struct ArrivalPrior {
  double weight = 0;
  Arrival one = {};
  Arrival other = {};
};

/// Weighted waiting times in the bins of the horizon grid.
class WaitingTimes {
 public:
  /// A wait that ended after `seconds`.
  void add_ended(double seconds, float weight) {
    ended_[horizon_index(seconds)] += weight;
    total_ += weight;
  }
  /// A wait that had lasted `seconds` and not ended when it was seen last.
  void add_open(double seconds, float weight) {
    open_[horizon_index(seconds)] += weight;
    total_ += weight;
  }

  /// P(ended within h): the share of those that ended, with the prior as so many observations more. Open ones count as
  /// if they never did, so that a farther target is never reached sooner than a nearer one. Non-decreasing; 0 with
  /// neither observations nor prior.
  [[nodiscard]] RiskCurve share(const ArrivalPrior& prior) const;

  /// The same by the product-limit estimate (E. Kaplan, P. Meier, "Nonparametric estimation from incomplete
  /// observations", 1958), in which open ones count for as long as they were seen: better for the time, but not
  /// ordered by target.
  [[nodiscard]] RiskCurve product_limit(const ArrivalPrior& prior) const;

 private:
  using Bins = std::array<float, kHorizonCount + 1>;  // the last is beyond the grid
  Bins ended_{};
  Bins open_{};
  float total_ = 0;
};

}  // namespace dualgpuopt::memory
