// Turns readings of one device into alerts: a state machine without threads, sleeps or clock reads.
#pragma once

#include <array>
#include <cstddef>
#include <optional>

#include "dualgpuopt/memory/alerts/memory_alert.h"
#include "dualgpuopt/memory/alerts/thresholds.h"

namespace dualgpuopt::memory {

/// Keeps the level of one device. Each reading causes one alert at most, by the first of these rules that applies:
///
/// - Raised: a higher level's threshold was reached by every good reading for its minimum duration. The highest such
///   level is raised, so a jump from normal to emergency is one alert.
/// - Cleared: the level in force has ended: use is under its percent and free above its bytes, both by the hysteresis,
///   and exhaustion has not been forecast for a while (AlertThresholds::forecast_hold).
///   The highest lower level that still holds, with hysteresis, is in force now. Falling waits for nothing.
/// - Repeated: the level lasts, and the device's last alert is at least the repeat interval ago.
///
/// Readings that are unavailable or have no known total change nothing and repeat nothing: no alert is ever made from
/// old data. They do not interrupt a minimum duration either.
/// Constant time; allocates only when it gives an alert. Not thread-safe: one owner.
class AlertEngine {
 public:
  /// `thresholds` must be valid.
  explicit AlertEngine(AlertThresholds thresholds);

  /// The alert that this reading causes, if any; at most one. `forecast` may be null. Times must not descend.
  [[nodiscard]] std::optional<MemoryAlert> update(const Reading& reading, const Forecast* forecast);

  /// From the next reading on; valid ones. The level in force stays until a reading ends it.
  void set_thresholds(const AlertThresholds& thresholds);

  [[nodiscard]] Level level() const { return level_; }
  [[nodiscard]] const AlertThresholds& thresholds() const { return thresholds_; }

 private:
  /// A level's threshold has been reached by every good reading since then.
  struct Reached {
    MonoTime since;
    ThresholdKind by = ThresholdKind::Percent;
  };

  [[nodiscard]] std::optional<Reached>& reached(Level level) { return reached_[static_cast<std::size_t>(level) - 1]; }
  void note_reached(const MemoryUse& memory, const Forecast* forecast, MonoTime now);
  void note_forecast(const Forecast* forecast, MonoTime now);
  [[nodiscard]] Level due_level(MonoTime now);
  [[nodiscard]] LevelMatch lasting_match(const MemoryUse& memory, MonoTime now) const;
  [[nodiscard]] bool is_held_by_forecast(Level level, MonoTime now) const;
  [[nodiscard]] bool repeat_is_due(MonoTime now) const;
  [[nodiscard]] MemoryAlert raise(Level level, const Reading& reading, const Forecast* forecast);
  [[nodiscard]] MemoryAlert clear(LevelMatch lasting, const Reading& reading, const Forecast* forecast);
  [[nodiscard]] MemoryAlert make_alert(AlertEvent event, Level level, const Reading& reading, const Forecast* forecast);

  AlertThresholds thresholds_;
  Level level_ = Level::Normal;
  ThresholdKind reached_by_ = ThresholdKind::Percent;  // the half by which the level in force was last reached
  MonoTime last_alert_;
  std::array<std::optional<Reached>, 3> reached_;  // of warning, critical, emergency
  /// When exhaustion was last forecast within each level's time, with the hysteresis.
  std::array<std::optional<MonoTime>, 3> forecast_;
};

}  // namespace dualgpuopt::memory
