// Growth in equal steps: a model whose shards are loaded, a cache that takes one block after the other.
#pragma once

#include <array>
#include <cstddef>

#include "predictor/trend.h"

namespace dualgpuopt::memory {

/// The rises of a series since it last fell, and the line through them. A staircase is no straight line to a fit over
/// samples until many steps have passed; through the moments of the steps it is one from the third on.
class Staircase {
 public:
  static constexpr std::size_t kFewest = 3;         ///< Steps that make a staircase.
  static constexpr std::size_t kKept = 8;           ///< The line goes through the newest of them.
  static constexpr double kLeastChange = 0.005;     ///< Of the use: less is noise.
  static constexpr double kLatestStep = 1.5;        ///< Mean intervals after which the next step no longer comes.
  static constexpr double kLeastExplained = 0.9;    ///< Of the steps' variance, for any reliability at all.
  static constexpr double kSlopeUncertainty = 0.1;  ///< Of the slope, besides what the fit says.

  /// Times ascend. A rise that goes on in the next sample is one step; a fall ends the staircase.
  void add(double time, double used);

  /// The line, as reliable as the steps are regular, times the probability that as many more come as it takes to
  /// `capacity`: (n + 1) / (n + 1 + k) for k more after n, by Laplace's rule of succession. Reliability 0 where there
  /// is no staircase, or its next step is overdue.
  [[nodiscard]] TrendEstimate estimate(double capacity) const;

  /// Mean rise of the steps kept, in bytes; 0 without a staircase.
  [[nodiscard]] double mean_step() const;
  /// Mean seconds between them; 0 without a staircase.
  [[nodiscard]] double mean_interval() const;

 private:
  struct Step {
    double time = 0;
    double level = 0;  // after it
  };

  [[nodiscard]] std::size_t kept() const { return count_ < kKept ? count_ : kKept; }
  [[nodiscard]] const Step& step(std::size_t i) const { return steps_[(count_ - kept() + i) % kKept]; }
  [[nodiscard]] const Step& newest() const { return step(kept() - 1); }
  [[nodiscard]] TrendEstimate fit() const;

  std::array<Step, kKept> steps_{};
  std::size_t count_ = 0;
  bool has_sample_ = false;
  double now_ = 0;
  double level_ = 0;        // of the stair that it stands on
  double last_change_ = 0;  // the time of the sample that changed it
};

}  // namespace dualgpuopt::memory
