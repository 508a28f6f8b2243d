// Shows an Offloader every new snapshot of a monitor, so that what fits again comes back.
#pragma once

#include <functional>
#include <thread>

#include "dualgpuopt/memory/monitor/memory_monitor.h"
#include "dualgpuopt/memory/recovery/offloader.h"

namespace dualgpuopt::memory {

/// Restores run on a thread of its own: the sampler waits for none of them, and a slow one only delays the next.
/// Devices that are stale or unavailable are not shown.
class OffloadFollower {
 public:
  /// Called on that thread after each restore, and after each attempt that failed; must not throw.
  using OnMove = std::function<void(const OffloadMove&)>;

  /// Both must outlive it. Follows whether the monitor runs or is stepped.
  OffloadFollower(const MemoryMonitor& monitor, Offloader& offloader, OnMove on_move = {});
  /// Waits for a restore that is under way. Not from within `on_move`.
  ~OffloadFollower() = default;
  OffloadFollower(const OffloadFollower&) = delete;
  OffloadFollower& operator=(const OffloadFollower&) = delete;

 private:
  void follow(const std::stop_token& stop) const;
  void show(const Snapshot& snapshot) const;

  const MemoryMonitor& monitor_;
  Offloader& offloader_;
  OnMove on_move_;
  std::jthread thread_;
};

}  // namespace dualgpuopt::memory
