// Everything a monitor can be told.
#pragma once

#include <optional>
#include <string_view>

#include "dualgpuopt/memory/alerts/thresholds.h"
#include "dualgpuopt/memory/recovery/ladder.h"
#include "dualgpuopt/memory/recovery/terminate_policy.h"

namespace dualgpuopt::memory {

/// Independent: subscribers and recovery do not wait for one another. RecoveryFirst: device by device, the climb first
/// and the alert's subscribers after it, as the original module did.
enum class DispatchOrder { Independent, RecoveryFirst };
[[nodiscard]] std::string_view to_string(DispatchOrder order);

/// How often devices are read. With `shortest` = `longest` = `usual` the pace is fixed.
struct PollingConfig {
  Duration usual = std::chrono::seconds(1);
  Duration shortest = std::chrono::milliseconds(100);  ///< When memory is running out.
  Duration longest = std::chrono::seconds(5);          ///< When nothing happens.
  Duration processes = std::chrono::seconds(5);        ///< Process lists, which cost the driver a thousand times more.
  Duration rescan = std::chrono::minutes(5);           ///< New devices are looked for; sooner when one cannot be read.

  /// The defaults at one pace.
  [[nodiscard]] static PollingConfig fixed(Duration interval) { return PollingConfig{}.with_fixed_interval(interval); }
  /// This at one pace: process lists are never read more often than memory; everything else stays.
  [[nodiscard]] PollingConfig with_fixed_interval(Duration interval) const;

  friend bool operator==(const PollingConfig&, const PollingConfig&) = default;
};

struct MonitorConfig {
  PollingConfig polling;
  AlertThresholds thresholds;
  LadderConfig ladder;
  /// The built-in strategy of the Terminate rung. Where it is enabled, and `ladder` gives that rung no time limit of
  /// its own, the rung has enough for two victims. It needs Verification::Measured.
  TerminatePolicy terminate = {};
  Duration horizon = std::chrono::seconds(60);  ///< Of every forecast's risk.
  DispatchOrder dispatch = DispatchOrder::Independent;
  /// Takes the place of every device's own total, for trying policies over recordings. Not for driver sources.
  std::optional<Bytes> capacity;

  /// InvalidArgument with the setting, its value and what it must be.
  [[nodiscard]] Result<void> validate() const;

  /// `ladder` with the time limit that `terminate` makes necessary.
  [[nodiscard]] LadderConfig complete_ladder() const;
};

}  // namespace dualgpuopt::memory
