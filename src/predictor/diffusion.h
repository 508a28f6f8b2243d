// The series as a random walk with drift: how soon would it have wandered as far as the headroom?
#pragma once

#include "predictor/horizon_grid.h"

namespace dualgpuopt::memory {

/// Drift and variance rate of a series, exponentially weighted over kMemorySeconds. Measurement noise that comes and
/// goes around a plateau is not movement: of the squared steps, what the next step takes back is subtracted (R. Roll,
/// "A simple implicit measure of the effective bid-ask spread", 1984; B. Zhou, "High-frequency data and volatility",
/// 1996), so a spike that has gone leaves nothing, while a step that stays counts in full.
class Diffusion {
 public:
  static constexpr double kMemorySeconds = 120;

  /// A change of `rise` bytes over `seconds` > 0.
  void add(double seconds, double rise);

  [[nodiscard]] double drift() const { return weight_ > 0 ? rise_ / weight_ : 0; }  ///< Bytes a second.
  [[nodiscard]] double variance_rate() const;                                       ///< Bytes^2 a second.

  /// Variance of one sample around the plateau, in bytes^2: what comes and goes from one step to the next.
  [[nodiscard]] double noise_variance() const;

  /// Whether it was ever seen to rise, be it by noise.
  [[nodiscard]] bool has_risen() const { return has_risen_; }

  /// P(the walk rises by `headroom` > 0 within h) at the grid's horizons: the inverse Gaussian distribution of a first
  /// passage, Phi((m h - b) / (s sqrt h)) + exp(2 m b / s^2) Phi(-(m h + b) / (s sqrt h)). Zero for a series that was
  /// never seen to rise: its noise is no reason to expect growth.
  [[nodiscard]] RiskCurve crossing(double headroom) const;

 private:
  double weight_ = 0;  // seconds
  double rise_ = 0;
  double squares_ = 0;
  double neighbours_ = 0;  // products of each step with the one before it
  double steps_ = 0;       // how many, weighted as the sums are
  double last_rise_ = 0;
  bool has_risen_ = false;
};

}  // namespace dualgpuopt::memory
