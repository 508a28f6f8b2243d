#include "dualgpuopt/memory/predictor/leak_detector.h"

#include <algorithm>
#include <cmath>

namespace dualgpuopt::memory {
namespace {

/// P(at least `heads` of `tosses` fair coins).
double sign_test(std::size_t heads, std::size_t tosses) {
  double ways = 1;
  double sum = 0;
  for (std::size_t k = 0; k <= tosses; ++k) {
    if (k >= heads) sum += ways;
    ways = ways * static_cast<double>(tosses - k) / static_cast<double>(k + 1);
  }
  return std::ldexp(sum, -static_cast<int>(tosses));
}

template <typename Iterator>
double median(Iterator begin, Iterator end) {
  const auto middle = begin + (end - begin) / 2;
  std::nth_element(begin, middle, end);
  return *middle;
}

}  // namespace

void LeakDetector::Scale::add(double seconds, Bytes used, double window) {
  const auto amount = static_cast<double>(used);
  if (begun_ && seconds - *begun_ >= window) {
    const bool has_gap = seconds - *begun_ > (1 + kLongestGap) * window;
    close_window();
    if (has_gap) count_ = 0;
    // Windows keep their places on the line, so that a sample late by a little moves none of the later ones.
    begun_ = has_gap ? seconds : *begun_ + window * std::floor((seconds - *begun_) / window);
    least_ = amount;
  } else if (!begun_) {
    begun_ = seconds;
    least_ = amount;
  }
  least_ = std::min(least_, amount);
}

void LeakDetector::Scale::close_window() {
  newest_ = (newest_ + 1) % kFloors;
  floors_[newest_] = least_;
  count_ = std::min(count_ + 1, kFloors);
  note_reclaimed();
}

/// A fall by more than half of what had grown gives it back.
void LeakDetector::Scale::note_reclaimed() {
  const double now = floors_[newest_];
  if (count_ == 1) row_start_ = row_top_ = now;
  row_top_ = std::max(row_top_, now);
  if (row_top_ - now > (row_top_ - row_start_) / 2) {
    reclaimed_ = std::max(reclaimed_, row_top_ - row_start_);
    row_start_ = row_top_ = now;
  }
  row_start_ = std::min(row_start_, now);
}

std::optional<LeakEstimate> LeakDetector::Scale::leak(double window) const {
  if (count_ < 2) return std::nullopt;
  std::array<double, kFloors> steps{};
  const std::size_t rises_possible = count_ - 1;
  std::size_t rises = 0;
  for (std::size_t i = 0; i < rises_possible; ++i) {
    steps[i] = floor(i + 1) - floor(i);
    if (steps[i] > 0) ++rises;
  }
  const double doubt = sign_test(rises, rises_possible);
  const double grown = floor(count_ - 1) - floor(0);
  if (doubt > kMostDoubt || grown < static_cast<double>(kLeastGrowth)) return std::nullopt;
  if (reclaimed_ > 0 && row_top_ - row_start_ < kBeyondCycle * reclaimed_) return std::nullopt;
  const std::size_t third = (rises_possible + 2) / 3;
  const double lately = (floor(count_ - 1) - floor(count_ - 1 - third)) / static_cast<double>(third);
  const double typical = median(steps.begin(), steps.begin() + static_cast<std::ptrdiff_t>(rises_possible));
  if (typical <= 0 || lately < typical / 2) return std::nullopt;
  return LeakEstimate{typical / window, 1 - doubt, static_cast<Bytes>(grown),
                      Seconds(window * static_cast<double>(rises_possible))};
}

void LeakDetector::add(MonoTime time, Bytes used) {
  if (first_ && time <= last_) return;
  if (!first_) first_ = time;
  last_ = time;
  const double seconds = Seconds(time - *first_).count();
  for (std::size_t i = 0; i < scales_.size(); ++i) scales_[i].add(seconds, used, kWindowSeconds[i]);
}

std::optional<LeakEstimate> LeakDetector::leak() const {
  for (std::size_t i = scales_.size(); i-- > 0;) {
    if (auto found = scales_[i].leak(kWindowSeconds[i])) return found;
  }
  return std::nullopt;
}

void ProcessLeakDetector::add(const ProcessList& processes) {
  if (!processes.reason.empty() || (last_ && processes.time.mono <= *last_)) return;
  last_ = processes.time.mono;
  for (auto& followed : followed_) followed.is_listed = false;
  for (const auto& process : processes.entries) {
    if (!process.used || !process.start_ticks) continue;
    if (auto* followed = find_or_follow(process)) {
      followed->process = process;
      followed->is_listed = true;
      followed->detector.add(processes.time.mono, *process.used);
    }
  }
  std::erase_if(followed_, [](const Followed& followed) { return !followed.is_listed; });
}

ProcessLeakDetector::Followed* ProcessLeakDetector::find_or_follow(const ProcessMemory& process) {
  const auto found = std::find_if(followed_.begin(), followed_.end(), [&](const Followed& followed) {
    return followed.process.pid == process.pid && followed.process.start_ticks == process.start_ticks;
  });
  if (found != followed_.end()) return &*found;
  if (followed_.size() < kProcesses) return &followed_.emplace_back(Followed{process, {}, true});
  const auto smallest = std::min_element(followed_.begin(), followed_.end(), [](const auto& a, const auto& b) {
    return a.process.used.value_or(0) < b.process.used.value_or(0);
  });
  if (smallest->process.used.value_or(0) >= process.used.value_or(0)) return nullptr;
  *smallest = Followed{process, {}, true};
  return &*smallest;
}

std::vector<Leak> ProcessLeakDetector::leaks() const {
  std::vector<Leak> leaks;
  for (const auto& followed : followed_) {
    if (const auto estimate = followed.detector.leak()) {
      leaks.push_back({followed.process.pid, followed.process.start_ticks, followed.process.name, *estimate});
    }
  }
  std::stable_sort(leaks.begin(), leaks.end(), [](const Leak& a, const Leak& b) {
    return a.estimate.bytes_per_second > b.estimate.bytes_per_second;
  });
  return leaks;
}

}  // namespace dualgpuopt::memory
