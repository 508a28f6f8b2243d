// When a forecast starts a climb, and how far the climb goes.
#pragma once

#include "dualgpuopt/memory/metrics/forecast.h"
#include "dualgpuopt/memory/recovery/ladder.h"

namespace dualgpuopt::memory {

/// Whether exhaustion is foreseen within `recovery_time` and the margin.
[[nodiscard]] bool is_sooner_than_recovery(const Forecast& forecast, const LadderConfig& config,
                                           Duration recovery_time);

/// Occupied bytes that leave room for the foreseen growth, (total - used) / time_to_oom, until the next climb could
/// have done its work: cooldown + recovery_time + margin. Never less than what brings the use, once it has grown by all
/// that is free now, to the target's percent: more than that the target itself does not ask for.
[[nodiscard]] Bytes forecast_target(Bytes used, Bytes total, Seconds time_to_oom, const LadderConfig& config,
                                    Duration recovery_time);

}  // namespace dualgpuopt::memory
