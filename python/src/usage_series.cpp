#include "usage_series.h"

#include <algorithm>
#include <vector>

namespace dualgpuopt::memory::python {
namespace {

constexpr double kWindowS = 300;
constexpr std::size_t kFewestPoints = 5;
constexpr std::size_t kFewestRecentPoints = 3;

struct Means {
  double count = 0, time_s = 0, bytes = 0;
};

/// Running means, in which no digits are lost to the size of the numbers.
void add(Means& means, const UsagePoint& point) {
  means.count += 1;
  means.time_s += (point.time_s - means.time_s) / means.count;
  means.bytes += (point.bytes - means.bytes) / means.count;
}

}  // namespace

void UsageSeries::append(double time_s, double bytes) {
  if (points_.size() == capacity_) points_.pop_front();
  points_.push_back({time_s, bytes});
}

std::optional<double> UsageSeries::project(double now_s, double horizon_s, double growth_rate) const {
  if (points_.size() < kFewestPoints) return std::nullopt;
  std::vector<UsagePoint> recent;  // with times relative to now, which keeps their digits
  Means means;
  for (const auto& point : points_) {
    if (now_s - point.time_s >= kWindowS) continue;
    recent.push_back({point.time_s - now_s, point.bytes});
    add(means, recent.back());
  }
  if (means.count < kFewestRecentPoints) return std::nullopt;
  double spread = 0;
  double covariance = 0;
  for (const auto& point : recent) {
    const auto time = point.time_s - means.time_s;
    spread += time * time;
    covariance += time * (point.bytes - means.bytes);
  }
  const auto slope = spread > 0 ? covariance / spread : 0.0;
  const auto now = means.bytes - slope * means.time_s;
  return std::max(0.0, now + slope * horizon_s * growth_rate);
}

}  // namespace dualgpuopt::memory::python
