// What this device did before: the last plateaus of its memory, and how soon it rose to a given amount from each.
#pragma once

#include <array>
#include <cstddef>

#include "predictor/horizon_grid.h"

namespace dualgpuopt::memory {

/// Memory moves in steps: a series is kept as its last kPlateaus stretches of (nearly) one level, one entry a stretch
/// however long it was. Times are seconds on the caller's line, in order.
class PlateauLog {
 public:
  static constexpr std::size_t kPlateaus = 128;
  /// Samples that differ from a plateau's first by no more than this share belong to it.
  static constexpr double kSameLevel = 0.02;
  /// A plateau that is higher than the present use by no more than this share of the peak still counts as not higher.
  static constexpr double kNotHigher = 0.02;
  /// How near a plateau's level must be to the present use to tell much about it, as a share of the peak.
  static constexpr double kLevelScale = 0.05;

  void add(double time, double used);

  /// The share of past plateaus, weighted by how near their level is to the present one, from which the use reached
  /// `capacity` within h, at the grid's horizons. Counted are plateaus that were not higher than the present one and
  /// lasted at least as long as it has by now, each from the moment when it was as old as the present one is (the
  /// empirical distribution of a semi-Markov process). Zero where there is none. `capacity` is above the present use.
  [[nodiscard]] RiskCurve crossing(double capacity) const;

  /// The highest use within the plateaus kept; 0 before the first sample.
  [[nodiscard]] double peak() const { return peak_; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  using Column = std::array<float, kPlateaus>;

  void open(double time, double used);
  /// Fills `weights` by slot and gives their sum.
  [[nodiscard]] float weigh(Column& weights, double age) const;

  // A table by column, so that weighing them runs on whole vectors; a slot is a plateau, `newest_` the present one.
  Column level_{};
  Column highest_{};
  Column length_{};  // seconds, until the next plateau began
  std::array<double, kPlateaus> start_{};
  std::array<double, kPlateaus> highest_at_{};
  std::size_t newest_ = 0;
  std::size_t size_ = 0;
  double now_ = 0;
  double used_ = 0;
  double peak_ = 0;
};

}  // namespace dualgpuopt::memory
