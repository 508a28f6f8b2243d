#include "dualgpuopt/memory/metrics/history.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;

struct TierShape {
  Duration width;
  std::size_t capacity;
};
constexpr std::array<TierShape, 3> kShapes{{{1s, 3600}, {1min, 24UL * 60}, {1h, 90UL * 24}}};
constexpr std::array kFinestFirst{HistoryTier::Second, HistoryTier::Minute, HistoryTier::Hour};

constexpr const TierShape& shape(HistoryTier tier) { return kShapes[static_cast<std::size_t>(tier)]; }

/// The multiple of `width` at or before `time`, also for times before the origin.
MonoTime bucket_start(MonoTime time, Duration width) {
  const auto past = time.time_since_epoch() % width;
  return time - (past < Duration::zero() ? past + width : past);
}

void merge(HistoryPoint& point, Bytes used) {
  if (point.samples < std::numeric_limits<std::uint32_t>::max()) ++point.samples;
  point.min = std::min(point.min, used);
  point.max = std::max(point.max, used);
  point.last = used;
  // Not a sum and a division: over days the sum would lose the small differences. With two samples or more the step is
  // at most half the way to the new one, so rounding cannot carry the mean past min or max.
  point.mean += (static_cast<double>(used) - point.mean) / point.samples;
}

/// The first moment of the window (now - window, now].
MonoTime window_start(Duration window, MonoTime now) {
  const bool before_all_time = now < MonoTime::min() + window;
  return before_all_time ? MonoTime::min() : now - window + Duration(1);
}

/// The buckets that start in the window, from the finest tier that still holds all of them.
std::vector<HistoryPoint> points_in_window(const History& history, Duration window, MonoTime now) {
  if (window <= Duration::zero()) return {};
  const auto since = window_start(window, now);
  const auto* tier = std::find_if(kFinestFirst.begin(), kFinestFirst.end() - 1,
                                  [&](HistoryTier which) { return history.reaches_back_to(which, since); });
  auto points = history.points(*tier, since);
  while (!points.empty() && points.back().start > now) points.pop_back();
  return points;
}

/// Least squares about the centre of the points, so that long runs and large amounts cost no precision.
double slope_of_means(const std::vector<HistoryPoint>& points, double mean_of_means) {
  const auto seconds = [&](const HistoryPoint& point) { return Seconds(point.start - points.front().start).count(); };
  double mean_time = 0;
  for (const auto& point : points) mean_time += seconds(point) / static_cast<double>(points.size());
  double covariance = 0;
  double variance = 0;
  for (const auto& point : points) {
    const double offset = seconds(point) - mean_time;
    covariance += offset * (point.mean - mean_of_means);
    variance += offset * offset;
  }
  return variance > 0 ? covariance / variance : 0;
}

Bytes nearest_bytes(double bytes) {
  return bytes < 0x1p64 ? static_cast<Bytes>(std::round(bytes)) : std::numeric_limits<Bytes>::max();
}

}  // namespace

History::Tier::Tier(Duration width, std::size_t capacity) : width_(width), ring_(capacity) {}

void History::Tier::add(MonoTime time, Bytes used) {
  if (size_ > 0 && time < ring_[newest_].start + width_) {
    merge(ring_[newest_], used);
  } else {
    open_bucket(bucket_start(time, width_), used);
  }
}

void History::Tier::open_bucket(MonoTime start, Bytes used) {
  if (size_ > 0) newest_ = newest_ + 1 == ring_.size() ? 0 : newest_ + 1;
  size_ = std::min(size_ + 1, ring_.size());
  ring_[newest_] = {
      .start = start, .min = used, .max = used, .last = used, .mean = static_cast<double>(used), .samples = 1};
}

const HistoryPoint& History::Tier::at(std::size_t age_rank) const {
  return ring_[(newest_ + ring_.size() + 1 - size_ + age_rank) % ring_.size()];
}

History::History()
    : tiers_{Tier(kShapes[0].width, kShapes[0].capacity), Tier(kShapes[1].width, kShapes[1].capacity),
             Tier(kShapes[2].width, kShapes[2].capacity)} {}

void History::add(MonoTime time, Bytes used) {
  for (auto& tier : tiers_) tier.add(time, used);
  peak_ = std::max(peak_.value_or(used), used);
}

std::vector<HistoryPoint> History::points(HistoryTier tier, MonoTime since) const {
  const auto& kept = this->tier(tier);
  std::size_t skipped = 0;
  while (skipped < kept.size() && kept.at(skipped).start < since) ++skipped;
  std::vector<HistoryPoint> points;
  points.reserve(kept.size() - skipped);
  for (std::size_t rank = skipped; rank < kept.size(); ++rank) points.push_back(kept.at(rank));
  return points;
}

std::optional<HistoryPoint> History::latest(HistoryTier tier) const {
  const auto& kept = this->tier(tier);
  return kept.size() > 0 ? std::optional(kept.at(kept.size() - 1)) : std::nullopt;
}

bool History::reaches_back_to(HistoryTier which, MonoTime since) const {
  const auto& kept = tier(which);
  return kept.size() < capacity(which) || kept.at(0).start - width(which) < since;
}

Duration History::width(HistoryTier tier) { return shape(tier).width; }

std::size_t History::capacity(HistoryTier tier) { return shape(tier).capacity; }

std::size_t History::memory_footprint() const {
  std::size_t bytes = sizeof(*this);
  for (const auto& tier : tiers_) bytes += tier.footprint();
  return bytes;
}

std::optional<WindowSummary> summarize(const History& history, Duration window, MonoTime now) {
  const auto points = points_in_window(history, window, now);
  if (points.empty()) return std::nullopt;
  WindowSummary summary{.window = window,
                        .points = points.size(),
                        .min = points.front().min,
                        .max = points.front().max,
                        .last = points.back().last};
  for (const auto& point : points) {
    summary.min = std::min(summary.min, point.min);
    summary.max = std::max(summary.max, point.max);
    summary.mean += point.mean / static_cast<double>(points.size());
  }
  summary.rate_bytes_per_second = slope_of_means(points, summary.mean);
  return summary;
}

std::optional<Bytes> percentile(const History& history, double percent, Duration window, MonoTime now) {
  if (!(percent > 0 && percent <= 100)) return std::nullopt;
  const auto points = points_in_window(history, window, now);
  if (points.empty()) return std::nullopt;
  std::vector<double> means(points.size());
  std::transform(points.begin(), points.end(), means.begin(), [](const HistoryPoint& point) { return point.mean; });
  const auto rank = static_cast<std::ptrdiff_t>(std::ceil(percent * static_cast<double>(means.size()) / 100.0));
  const auto chosen = means.begin() + std::max<std::ptrdiff_t>(rank, 1) - 1;
  std::nth_element(means.begin(), chosen, means.end());
  return nearest_bytes(*chosen);
}

}  // namespace dualgpuopt::memory
