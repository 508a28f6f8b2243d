#include "monitor/shared_history.h"

namespace dualgpuopt::memory {
namespace {

/// Somebody who copies an hour of history holds the lock for microseconds; this many samples never pile up.
constexpr std::size_t kMostSetAside = 256;

}  // namespace

void SharedHistory::add(MonoTime time, Bytes used) {
  set_aside_.push_back({time, used});
  if (!mutex_.try_lock()) {
    if (set_aside_.size() > kMostSetAside) set_aside_.erase(set_aside_.begin());
    return;
  }
  for (const auto& sample : set_aside_) history_.add(sample.time, sample.used);
  mutex_.unlock();
  set_aside_.clear();
}

std::vector<HistoryPoint> SharedHistory::points(HistoryTier tier, MonoTime since) const {
  const MutexLock lock(mutex_);
  return history_.points(tier, since);
}

std::optional<WindowSummary> SharedHistory::summary(Duration window, MonoTime now) const {
  const MutexLock lock(mutex_);
  return summarize(history_, window, now);
}

std::optional<Bytes> SharedHistory::percentile(double percent, Duration window, MonoTime now) const {
  const MutexLock lock(mutex_);
  return memory::percentile(history_, percent, window, now);
}

}  // namespace dualgpuopt::memory
