// Steady growth: a straight line through the recent past, and how much of what happened it explains.
#pragma once

#include <array>
#include <cstddef>

namespace dualgpuopt::memory {

/// A line through the recent past. Seconds count from the latest sample.
struct TrendEstimate {
  /// 0 to 1: how far the line is to be trusted. A staircase of n equal steps is a straight line to 1 - 1/(n+1)^2 of its
  /// variance, so only what a line explains beyond two steps counts.
  double reliability = 0;
  double level = 0;            ///< The line at the latest sample.
  double slope = 0;            ///< Bytes a second.
  double slope_deviation = 0;  ///< Standard error of the slope.
  double noise = 0;            ///< Standard deviation of the samples around the line.

  /// P(the line, as uncertain as it is, has reached `target` after `seconds`). Non-decreasing in seconds for a slope
  /// that is not negative.
  [[nodiscard]] double crossing(double target, double seconds) const;
  /// The time after which the line is `deviations` standard deviations past the target; infinite if never.
  [[nodiscard]] double time_past(double target, double deviations) const;
};

/// Fits lines over three time scales, exponentially weighted least squares on samples at any interval. Single outliers
/// do not get in: each sample is replaced by the median of it and its neighbours.
class Trend {
 public:
  void add(double time, double used);
  /// The most reliable of the lines; reliability 0 until there are enough samples.
  [[nodiscard]] TrendEstimate estimate() const;

 private:
  struct Sample {
    double time = 0;
    double used = 0;
  };

  /// Weighted sums of one time scale, with the latest fitted sample as their origin.
  class Line {
   public:
    explicit Line(double memory_seconds) : memory_seconds_(memory_seconds) {}
    void add(const Sample& sample);
    [[nodiscard]] TrendEstimate estimate(const Sample& now) const;

   private:
    double memory_seconds_;
    Sample origin_;
    double weight_ = 0;
    double squared_weight_ = 0;
    double t_ = 0, tt_ = 0, u_ = 0, tu_ = 0, uu_ = 0;
  };

  [[nodiscard]] double median_of_last_three() const;

  std::array<Sample, 3> last_{};
  std::size_t seen_ = 0;
  std::array<Line, 3> lines_{Line(20), Line(60), Line(600)};
};

}  // namespace dualgpuopt::memory
