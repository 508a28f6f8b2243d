#include "predictor/plateau_log.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace dualgpuopt::memory {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();

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

void PlateauLog::weigh(Column& weights) const {
  const auto scale = static_cast<float>(1 / (kLevelScale * std::max(peak_, 1.0)));
  const auto present = static_cast<float>(used_);
  const auto ceiling = static_cast<float>(used_ + kNotHigher * peak_);
  const auto least = static_cast<float>(age());
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
}

WaitingTimes PlateauLog::waits_for(double capacity) const {
  WaitingTimes waits;
  if (size_ < 2) return waits;
  const auto target = static_cast<float>(capacity);
  const double present_age = age();
  Column weights;
  weigh(weights);
  double reached = kNever;  // the first moment after the plateau in hand at which the target was reached
  std::size_t slot = newest_;
  for (std::size_t n = 0; n < size_; ++n, slot = before(slot)) {
    reached = std::min(reached, reached_at(slot, target));
    if (!(weights[slot] > 0)) continue;
    const double begun = start_[slot] + present_age;
    if (reached == kNever) {
      waits.add_open(now_ - begun, weights[slot]);
    } else {
      waits.add_ended(reached - begun, weights[slot]);
    }
  }
  return waits;
}

double PlateauLog::reached_at(std::size_t slot, float target) const {
  if (highest_[slot] < target) return kNever;
  return level_[slot] >= target ? start_[slot] : highest_at_[slot];
}

PlateauLog::Visits PlateauLog::visits_to(double capacity) const {
  Visits visits;
  const auto target = static_cast<float>(capacity);
  if (size_ == 0 || static_cast<float>(peak_) < target) return visits;
  const auto left = static_cast<float>(kSameVisit) * target;
  bool is_there = false;
  double last_began = 0;
  double began = 0;
  double ended = 0;
  std::size_t slot = newest_;
  for (std::size_t n = 0; n < size_; ++n, slot = before(slot)) {
    if (highest_[slot] >= target) {
      if (visits.count == 0) ended = slot == newest_ ? now_ : start_[slot] + length_[slot];
      if (!is_there) ++visits.count;
      is_there = true;
      visits.total += slot == newest_ ? age() : static_cast<double>(length_[slot]);
      began = start_[slot];
      if (visits.count == 1) last_began = began;
    } else if (level_[slot] < left) {
      is_there = false;
    }
  }
  if (visits.count == 0) return visits;
  visits.since_left = now_ - ended;
  if (visits.count > 1) visits.period = (last_began - began) / static_cast<double>(visits.count - 1);
  return visits;
}

}  // namespace dualgpuopt::memory
