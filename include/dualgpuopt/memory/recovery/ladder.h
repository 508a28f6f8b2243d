// The ladder of recovery: which rungs in which order, when to start, and when it is enough.
#pragma once

#include <optional>
#include <vector>

#include "dualgpuopt/memory/core/error.h"
#include "dualgpuopt/memory/metrics/decision.h"

namespace dualgpuopt::memory {

/// Measured: a rung counts by a fresh reading after it has settled. Callback: by the callback's word alone, the first
/// success ends the climb (what the original module did).
enum class Verification { Measured, Callback };

struct LadderConfig {
  std::vector<RecoveryStrategy> rungs{RecoveryStrategy::ClearCache, RecoveryStrategy::ReduceBatch,
                                      RecoveryStrategy::Offload, RecoveryStrategy::Terminate};
  Level trigger = Level::Critical;                      ///< A climb starts at this level or above.
  double target_percent = 75;                           ///< The climb ends at or under this occupied share.
  Duration settle = std::chrono::milliseconds(500);     ///< Between a rung's end and the measurement.
  Duration cooldown = std::chrono::seconds(30);         ///< Between the end of a climb and the next on a device.
  Duration rung_time_limit = std::chrono::seconds(10);  ///< For each callback.
  Verification verification = Verification::Measured;
  ActionMode mode = ActionMode::Execute;  ///< Registered callbacks run; the built-in rungs have switches of their own.

  /// InvalidArgument unless rungs are distinct, 0 < target_percent < 100 and no duration is negative.
  [[nodiscard]] Result<void> validate() const;
};

}  // namespace dualgpuopt::memory
