// The thread that recovery runs on: climbs, one after another, and never on the sampler.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <set>
#include <thread>

#include "dualgpuopt/memory/alerts/memory_alert.h"
#include "dualgpuopt/memory/core/mutex.h"
#include "dualgpuopt/memory/recovery/recovery_ladder.h"
#include "monitor/engine.h"

namespace dualgpuopt::memory {

/// Takes events in their order: the climb, if one is due, then the alert, if it came with it. post() shares its lock
/// with this thread alone, which never holds it while it climbs.
class RecoveryWorker {
 public:
  /// Where results go; called on the worker's thread. `on_alert` may block until the stop is requested.
  struct Outlets {
    std::function<void(Decision)> on_decision;
    std::function<void(MemoryAlert, const std::stop_token&)> on_alert;
  };

  RecoveryWorker(RecoveryLadder& ladder, MemoryPort& port, Clock& clock, Outlets outlets);
  /// Requests the stop and waits for the thread, which is never inside user code.
  ~RecoveryWorker();

  /// A climb for a device whose last one is not over yet is left out.
  void post(EngineEvent event);

 private:
  void run(const std::stop_token& stop);
  void work_on(EngineEvent event, const std::stop_token& stop);
  [[nodiscard]] std::optional<EngineEvent> wait_for_event(const std::stop_token& stop);

  RecoveryLadder& ladder_;
  MemoryPort& port_;
  Clock& clock_;
  Outlets outlets_;

  Mutex mutex_;
  Condition arrived_;
  std::deque<EngineEvent> events_ DUALGPUOPT_GUARDED_BY(mutex_);
  std::set<int> climbing_ DUALGPUOPT_GUARDED_BY(mutex_);  // queued or under way
  std::jthread thread_;
};

}  // namespace dualgpuopt::memory
