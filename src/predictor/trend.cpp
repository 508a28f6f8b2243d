#include "predictor/trend.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "predictor/normal_tail.h"

namespace dualgpuopt::memory {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();
constexpr double kStepsExplain = 8.0 / 9;  // the R^2 of a straight line through two equal steps, evenly spread
constexpr double kEnoughSamples = 6;       // effective ones; fewer make a line of anything
constexpr double kRoundingShare = 1e-12;   // of the sums: less than this is rounding, not variance

}  // namespace

double TrendEstimate::crossing(double target, double seconds) const {
  const double distance = slope * seconds - (target - level);
  const double slope_noise = slope_deviation * seconds;
  const double deviation = std::sqrt(noise * noise + slope_noise * slope_noise);
  if (deviation <= 1e-9 * std::abs(target - level)) return distance >= 0 ? 1 : 0;
  return normal_cdf(static_cast<float>(std::clamp(distance / deviation, -13.0, 13.0)));
}

double TrendEstimate::time_past(double target, double deviations) const {
  // slope * h - b = z * sqrt(noise^2 + (deviation * h)^2), squared; the root on z's own side.
  const double b = target - level;
  const double z = deviations;
  const double a2 = slope * slope - z * z * slope_deviation * slope_deviation;
  if (slope <= 0 || a2 <= 0) return kNever;
  const double discriminant = b * b * slope * slope - a2 * (b * b - z * z * noise * noise);
  const double root = std::sqrt(std::max(0.0, discriminant));
  return std::max(0.0, (b * slope + (z < 0 ? -root : root)) / a2);
}

void Trend::Line::add(const Sample& sample) {
  const double seconds = sample.time - origin_.time;
  const double rise = sample.used - origin_.used;
  const double kept = std::exp(-seconds / memory_seconds_);
  // Moves the origin to the new sample (t - seconds, u - rise for all before it), then lets them fade and adds it.
  uu_ = (uu_ - 2 * rise * u_ + rise * rise * weight_) * kept;
  tu_ = (tu_ - rise * t_ - seconds * u_ + seconds * rise * weight_) * kept;
  tt_ = (tt_ - 2 * seconds * t_ + seconds * seconds * weight_) * kept;
  t_ = (t_ - seconds * weight_) * kept;
  u_ = (u_ - rise * weight_) * kept;
  weight_ = weight_ * kept + 1;
  squared_weight_ = squared_weight_ * kept * kept + 1;
  origin_ = sample;
}

TrendEstimate Trend::Line::estimate(const Sample& now) const {
  TrendEstimate line;
  const double samples = weight_ * weight_ / std::max(squared_weight_, 1.0);
  const double t_variance = tt_ / weight_ - t_ * t_ / (weight_ * weight_);
  const double u_variance = uu_ / weight_ - u_ * u_ / (weight_ * weight_);
  if (!(samples >= kEnoughSamples) || !(t_variance > 0) || !(u_variance > kRoundingShare * uu_ / weight_)) return line;
  const double covariance = tu_ / weight_ - t_ * u_ / (weight_ * weight_);
  const double explained = std::min(1.0, covariance * covariance / (t_variance * u_variance));
  const double unexplained = (1 - explained) * (samples - 1) / (samples - 2);
  line.reliability = std::clamp((1 - unexplained - kStepsExplain) / (1 - kStepsExplain), 0.0, 1.0);
  line.slope = covariance / t_variance;
  line.level = origin_.used + u_ / weight_ + line.slope * (now.time - origin_.time - t_ / weight_);
  line.noise = std::sqrt(unexplained * u_variance);
  line.slope_deviation = line.noise / std::sqrt(samples * t_variance);
  return line;
}

void Trend::add(double time, double used) {
  last_ = {last_[1], last_[2], Sample{time, used}};
  if (++seen_ < 3) return;
  // On a ramp the median is the sample in the middle, so the middle's time is exact there and never runs backwards.
  const Sample middle{last_[1].time, median_of_last_three()};
  for (auto& line : lines_) line.add(middle);
}

double Trend::median_of_last_three() const {
  return std::clamp(last_[2].used, std::min(last_[0].used, last_[1].used), std::max(last_[0].used, last_[1].used));
}

TrendEstimate Trend::estimate() const {
  if (seen_ < 3) return {};
  TrendEstimate best;
  for (const auto& line : lines_) {
    const auto estimate = line.estimate(last_[2]);
    if (estimate.reliability > best.reliability) best = estimate;
  }
  return best;
}

}  // namespace dualgpuopt::memory
