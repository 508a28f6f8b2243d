#include "dualgpuopt/memory/predictor/rise_log.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace dualgpuopt::memory {
namespace {

constexpr Duration kHour = std::chrono::hours(1);
constexpr double kHalfLifeSeconds = 3600;
constexpr double kLeast = 0x1p22;  // 4 MiB: less comes and goes with anybody's work
constexpr double kBucketsAnOctave = 4;

double kept_after(double seconds) { return std::exp2(-seconds / kHalfLifeSeconds); }

}  // namespace

bool RiseLog::add(MonoTime time, Bytes used, Duration window) {
  const auto amount = static_cast<double>(used);
  if (empty_) {
    empty_ = false;
    peak_ = amount;
    last_ = hour_begun_ = time;
    begin_window(time, amount, window);
    return false;
  }
  if (time <= last_) return false;
  const bool is_gap = time - last_ > 2 * length_;
  last_ = time;
  most_ = std::max(most_, amount);
  if (!is_gap && time - begun_ < length_) return false;
  if (!is_gap) end_window(time);
  begin_window(time, amount, window);
  return !is_gap;
}

void RiseLog::begin_window(MonoTime time, double used, Duration length) {
  begun_ = time;
  length_ = length;
  at_begin_ = most_ = used;
}

void RiseLog::end_window(MonoTime time) {
  const double peak = recent_peak();
  const double from = at_begin_ >= kNearPeak * peak ? at_begin_ : peak;
  if (most_ >= from) count(most_ - from, Seconds(time - begun_).count());
  if (time - hour_begun_ >= kHour) {
    peak_before_ = std::exchange(peak_, 0);
    hour_begun_ = time;
  }
  peak_ = std::max(peak_, most_);
}

double RiseLog::recent_peak() const { return std::max(peak_, peak_before_); }

void RiseLog::count(double rise, double seconds) {
  const double kept = kept_after(seconds);
  for (auto& weight : weights_) weight *= kept;
  const double place = rise <= kLeast ? 0 : std::ceil(kBucketsAnOctave * std::log2(rise / kLeast));
  weights_[std::min(static_cast<std::size_t>(place), kBuckets - 1)] += 1;
}

std::optional<Bytes> RiseLog::usual_most() const {
  const double all = std::accumulate(weights_.begin(), weights_.end(), 0.0);
  if (all < kFewestWindows) return std::nullopt;
  double above = 0;
  std::size_t bucket = kBuckets - 1;
  while (bucket > 0 && above + weights_[bucket] <= kExceededShare * all) above += weights_[bucket--];
  return bucket == 0 ? Bytes{0}
                     : static_cast<Bytes>(kLeast * std::exp2(static_cast<double>(bucket) / kBucketsAnOctave));
}

}  // namespace dualgpuopt::memory
