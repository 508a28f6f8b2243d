// When what was offloaded comes back: only where there is room for it that will last, and later each time it did not.
#pragma once

#include <optional>
#include <string>

#include "dualgpuopt/memory/core/error.h"
#include "dualgpuopt/memory/metrics/forecast.h"
#include "dualgpuopt/memory/metrics/level.h"
#include "dualgpuopt/memory/metrics/reading.h"

namespace dualgpuopt::memory {

struct OffloadConfig {
  double trigger_percent = 90;  ///< The occupied share at which the ladder starts to climb.
  double margin_percent = 10;   ///< A restore leaves the use at least so far under it, by the forecast as well.
  Duration hold_off = std::chrono::minutes(1);  ///< Between an offload on a device and the first restore there.
  /// An object that leaves again sooner than this after its restore, or sooner than it had waited for that, waits twice
  /// as long as the last time, up to `longest_wait`; else the hold-off again.
  Duration soon = std::chrono::minutes(5);
  Duration longest_wait = std::chrono::hours(1);
  double calm_risk = 0.1;  ///< Nothing comes back while a forecast sees a higher risk of exhaustion.
  Duration freshness = std::chrono::seconds(10);  ///< An older reading restores nothing.
  Bytes host_reserve = Bytes{1} << 30;            ///< What the host keeps for others: nothing is offloaded into it.

  /// InvalidArgument, naming the field, unless 0 < margin_percent < trigger_percent <= 100, 0 <= calm_risk <= 1, no
  /// duration is negative and 0 < hold_off <= longest_wait, which is at most a day.
  [[nodiscard]] Result<void> validate() const;
};

/// A device as a snapshot has it.
struct DeviceState {
  Reading reading;
  std::optional<Forecast> forecast = {};
  Level level = Level::Normal;
};

/// Why `bytes` more may not come to the device now; empty if they may. They may when the reading is a driver's, fresh
/// and of a known total, no level is in force, and what is occupied leaves them the margin; with a forecast, also when
/// it expects no more than that at its horizon, and is calm. Its interval does not count: an offload is a fall that
/// widens it for minutes, so that nothing would come back because something had left. Pure.
[[nodiscard]] std::string obstacle_to_restore(const DeviceState& state, Bytes bytes, const OffloadConfig& config,
                                              MonoTime now);

/// How long one object stays away. Pure; `now` never goes backwards.
class RestoreWait {
 public:
  void on_offloaded(const OffloadConfig& config, MonoTime now);
  void on_restored(MonoTime now) { restored_ = now; }
  /// It stays away, and waits twice as long for the next attempt.
  void on_failed(const OffloadConfig& config, MonoTime now);

  /// Not before.
  [[nodiscard]] MonoTime until() const { return since_ + wait_; }

 private:
  void wait_longer(const OffloadConfig& config);

  Duration wait_{};
  MonoTime since_{};
  std::optional<MonoTime> restored_;
};

}  // namespace dualgpuopt::memory
