// Calls a strategy's callback on a thread of its own, for as long as it may take and no longer.
#pragma once

#include <map>
#include <memory>
#include <stop_token>

#include "dualgpuopt/memory/core/mutex.h"
#include "dualgpuopt/memory/recovery/climb.h"

namespace dualgpuopt::memory {

class StrategyCall;

/// One call a strategy at a time. A call that does not return in time is abandoned: its thread is detached, owns or
/// shares all that it touches, and keeps its strategy busy until it returns. Thread-safe.
class StrategyRunner {
 public:
  /// Returns when the callback has returned, `time_limit` (real time) is over, or `stop` is requested; in the latter
  /// two cases it requests `request.stop`, which is filled in here, and waits no longer. What the callback throws is
  /// an outcome.
  [[nodiscard]] StrategyOutcome run(std::shared_ptr<const RecoveryCallback> callback, RecoveryRequest request,
                                    Duration time_limit, const std::stop_token& stop);

  [[nodiscard]] bool is_busy(RecoveryStrategy strategy) const;

 private:
  [[nodiscard]] bool begin(RecoveryStrategy strategy, const std::shared_ptr<StrategyCall>& call);

  mutable Mutex mutex_;
  std::map<RecoveryStrategy, std::shared_ptr<StrategyCall>> last_calls_ DUALGPUOPT_GUARDED_BY(mutex_);
};

}  // namespace dualgpuopt::memory
