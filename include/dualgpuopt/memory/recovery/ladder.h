// The ladder of recovery: which rungs in which order, when to start, and when it is enough.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "dualgpuopt/memory/core/error.h"
#include "dualgpuopt/memory/metrics/decision.h"

namespace dualgpuopt::memory {

/// Measured: a rung counts by a fresh reading after it has settled. Callback: by the callback's word alone, the first
/// success ends the climb (what the original module did).
enum class Verification { Measured, Callback };
[[nodiscard]] std::string_view to_string(Verification verification);

/// What one rung is allowed, where it differs from the ladder.
struct RungLimits {
  std::optional<Duration> time_limit = {};  ///< Empty: LadderConfig::rung_time_limit.
  std::optional<Duration> settle = {};      ///< Empty: LadderConfig::settle.
  Level from = Level::Normal;               ///< It may run in climbs that start at this level or above,
  bool by_forecast = true;                  ///< and in those that a forecast starts; Terminate never is.
  /// After so many climbs in a row in which it freed nothing it rests for `rest`, after each further one twice as long
  /// as before, up to kLongestRest. Once it frees something the count begins anew. 0: it never rests.
  unsigned attempts = 2;
  Duration rest = std::chrono::minutes(1);
};
inline constexpr Duration kLongestRest = std::chrono::hours(1);

struct LadderConfig {
  std::vector<RecoveryStrategy> rungs{RecoveryStrategy::ClearCache, RecoveryStrategy::ReduceBatch,
                                      RecoveryStrategy::Offload, RecoveryStrategy::Terminate};
  Level trigger = Level::Critical;  ///< A climb starts at this level or above.
  double target_percent = 75;       ///< The climb ends at or under this occupied share.
  /// A climb also starts when exhaustion is foreseen within the time that recovery takes (RungTimes) and this margin.
  /// Such a climb ends as soon as there is room for the foreseen growth until the next climb may start; it terminates
  /// nothing.
  bool by_forecast = true;
  Duration forecast_margin = std::chrono::seconds(5);
  Duration settle = std::chrono::milliseconds(500);     ///< Between a rung's end and the measurement.
  Duration cooldown = std::chrono::seconds(30);         ///< Between the end of a climb and the next on a device.
  Duration rung_time_limit = std::chrono::seconds(10);  ///< For each callback, in real time whatever the clock.
  std::map<RecoveryStrategy, RungLimits> limits = {};   ///< By rung; those of the others are RungLimits{}.
  Verification verification = Verification::Measured;
  ActionMode mode = ActionMode::Execute;  ///< Registered callbacks run; the built-in rungs have switches of their own.

  /// With measured verification the Terminate rung runs only if the climb was started by the emergency level and both
  /// the reading that started it and the newest one lie above this occupied share; 100 means never. Meant to be the
  /// emergency threshold's percent: the ladder does not know the thresholds.
  double terminate_above_percent = 95;

  /// InvalidArgument, naming the field, unless rungs are distinct, 0 < target_percent < 100,
  /// 0 < terminate_above_percent <= 100, no duration is negative or longer than a hundred years, and rung_time_limit
  /// is not 0; the same for `limits`, where errors name the rung. No rungs at all is valid: every climb then ends as
  /// NoRungs.
  [[nodiscard]] Result<void> validate() const;

  [[nodiscard]] RungLimits limits_of(RecoveryStrategy rung) const;
  [[nodiscard]] Duration time_limit_of(RecoveryStrategy rung) const;
  [[nodiscard]] Duration settle_of(RecoveryStrategy rung) const;

  /// What is done about readings of this provenance: only what a driver measured may be acted on.
  [[nodiscard]] ActionMode mode_for(Provenance provenance) const;
};

}  // namespace dualgpuopt::memory
