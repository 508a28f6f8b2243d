#include "predictor/plateau_log.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace dualgpuopt::memory {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();

/// Adds up in lanes, because a compiler may not change the order of a sum on its own.
template <std::size_t Count>
float sum_of(const std::array<float, Count>& values) {
  constexpr std::size_t lanes = 8;
  static_assert(Count % lanes == 0);
  std::array<float, lanes> sums{};
  for (std::size_t j = 0; j < Count; j += lanes) {
    for (std::size_t lane = 0; lane < lanes; ++lane) sums[lane] += values[j + lane];
  }
  return std::accumulate(sums.begin(), sums.end(), 0.0F);
}

}  // namespace

void PlateauLog::add(double time, double used) {
  now_ = time;
  used_ = used;
  const double level = level_[newest_];
  const bool same = size_ > 0 && std::abs(used - level) <= kSameLevel * std::max(used, level);
  if (!same) {
    open(time, used);
  } else if (static_cast<float>(used) > highest_[newest_]) {
    highest_[newest_] = static_cast<float>(used);
    highest_at_[newest_] = time;
  }
  peak_ = std::max(peak_, used);
}

void PlateauLog::open(double time, double used) {
  if (size_ > 0) length_[newest_] = static_cast<float>(time - start_[newest_]);
  newest_ = size_ == 0 ? 0 : (newest_ + 1) % kPlateaus;
  const bool forgets = size_ == kPlateaus;
  size_ = std::min(size_ + 1, kPlateaus);
  level_[newest_] = highest_[newest_] = static_cast<float>(used);
  start_[newest_] = highest_at_[newest_] = time;
  length_[newest_] = 0;
  if (forgets) peak_ = *std::max_element(highest_.begin(), highest_.end());
}

float PlateauLog::weigh(Column& weights, double age) const {
  const auto scale = static_cast<float>(1 / (kLevelScale * std::max(peak_, 1.0)));
  const auto present = static_cast<float>(used_);
  const auto ceiling = static_cast<float>(used_ + kNotHigher * peak_);
  const auto least = static_cast<float>(age);
  for (std::size_t j = 0; j < kPlateaus; ++j) {
    const float distance = (present - level_[j]) * scale;
    const float nearness = 1.0F / (1.0F + distance * distance);
    // Factors of 0 or 1 instead of a condition: the loop stays without a branch.
    const auto not_higher = static_cast<float>(level_[j] <= ceiling);
    const auto lasted = static_cast<float>(length_[j] >= least);
    weights[j] = nearness * nearness * not_higher * lasted;
  }
  // The present plateau has not ended, and slots that were never filled are none.
  weights[newest_] = 0;
  std::fill(weights.begin() + static_cast<std::ptrdiff_t>(size_), weights.end(), 0.0F);
  return sum_of(weights);
}

RiskCurve PlateauLog::crossing(double capacity) const {
  RiskCurve curve{};
  const auto target = static_cast<float>(capacity);
  if (size_ < 2 || static_cast<float>(peak_) < target) return curve;
  const double age = now_ - start_[newest_];
  Column weights;
  const float total = weigh(weights, age);
  if (!(total > 0)) return curve;

  double reached_at = kNever;  // the first moment after the plateau in hand at which the target was reached
  std::size_t slot = newest_;
  for (std::size_t n = 0; n < size_; ++n, slot = (slot + kPlateaus - 1) % kPlateaus) {
    if (highest_[slot] >= target) reached_at = level_[slot] >= target ? start_[slot] : highest_at_[slot];
    if (!(weights[slot] > 0) || reached_at == kNever) continue;
    const auto k = horizon_index(reached_at - start_[slot] - age);
    if (k < kHorizonCount) curve[k] += weights[slot];
  }
  float sum = 0;
  for (float& value : curve) {
    sum += value;
    value = std::min(1.0F, sum / total);
  }
  return curve;
}

}  // namespace dualgpuopt::memory
