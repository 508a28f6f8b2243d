// Turns readings of one device into alerts: a state machine without threads, sleeps or clock reads.
#pragma once

#include <optional>

#include "dualgpuopt/memory/alerts/memory_alert.h"
#include "dualgpuopt/memory/alerts/thresholds.h"

namespace dualgpuopt::memory {

/// Keeps the level of one device. Rising: a level whose threshold has been reached for its minimum duration is raised
/// (only the highest one; a jump from normal to emergency is one alert). Falling: the level is cleared once use is
/// under its threshold by the hysteresis, and the level in force becomes the one that still holds, with hysteresis.
/// Unavailable readings change nothing and repeat nothing: no alert is ever made from old data.
/// Constant time; allocates only when it gives an alert. Not thread-safe: one owner.
class AlertEngine {
 public:
  /// `thresholds` must be valid.
  explicit AlertEngine(AlertThresholds thresholds) : thresholds_(thresholds) {}

  /// The alert that this reading causes, if any; at most one. `forecast` may be null. Times must not descend.
  [[nodiscard]] std::optional<MemoryAlert> update(const Reading& reading, const Forecast* forecast);

  [[nodiscard]] Level level() const { return level_; }
  [[nodiscard]] const AlertThresholds& thresholds() const { return thresholds_; }

 private:
  struct Pending {
    Level level = Level::Normal;
    MonoTime since;
  };

  AlertThresholds thresholds_;
  Level level_ = Level::Normal;
  MonoTime last_alert_;
  // (helper: replace by whatever state the rules above need)
};

}  // namespace dualgpuopt::memory
