// The newest decisions, kept for whoever asks later.
#pragma once

#include <cstddef>
#include <deque>
#include <vector>

#include "dualgpuopt/memory/core/mutex.h"
#include "dualgpuopt/memory/metrics/decision.h"

namespace dualgpuopt::memory {

/// Keeps the last kRemembered decisions. Thread-safe.
class DecisionLog {
 public:
  static constexpr std::size_t kRemembered = 64;

  void add(Decision decision);
  /// Oldest first.
  [[nodiscard]] std::vector<Decision> all() const;

 private:
  mutable Mutex mutex_;
  std::deque<Decision> decisions_ DUALGPUOPT_GUARDED_BY(mutex_);
};

}  // namespace dualgpuopt::memory
