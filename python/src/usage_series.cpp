#include "usage_series.h"

#include <algorithm>

namespace dualgpuopt::memory::python {
namespace {

constexpr double kWindowS = 300;
constexpr std::size_t kFewestPoints = 5;
constexpr std::size_t kFewestRecentPoints = 3;

/// Sums over points, their times relative to now so that no digits are lost to the epoch.
struct Sums {
  double count = 0, t = 0, y = 0, tt = 0, ty = 0;

  void add(double time, double value) {
    count += 1;
    t += time;
    y += value;
    tt += time * time;
    ty += time * value;
  }
  [[nodiscard]] double spread() const { return count * tt - t * t; }
};

}  // namespace

void UsageSeries::append(double time_s, double bytes) {
  if (points_.size() == capacity_) points_.pop_front();
  points_.push_back({time_s, bytes});
}

std::optional<double> UsageSeries::project(double now_s, double horizon_s, double growth_rate) const {
  if (points_.size() < kFewestPoints) return std::nullopt;
  Sums sums;
  for (const auto& point : points_) {
    if (now_s - point.time_s < kWindowS) sums.add(point.time_s - now_s, point.bytes);
  }
  if (sums.count < kFewestRecentPoints || sums.spread() <= 0) return std::nullopt;
  const auto slope = (sums.count * sums.ty - sums.t * sums.y) / sums.spread();
  const auto now = (sums.y - slope * sums.t) / sums.count;
  return std::max(0.0, now + slope * horizon_s * growth_rate);
}

}  // namespace dualgpuopt::memory::python
