#include "dualgpuopt/memory/recovery/forecast_trigger.h"

#include <algorithm>

namespace dualgpuopt::memory {

bool is_sooner_than_recovery(const Forecast& forecast, const LadderConfig& config, Duration recovery_time) {
  return config.by_forecast && forecast.time_to_oom &&
         *forecast.time_to_oom <= Seconds(recovery_time) + Seconds(config.forecast_margin);
}

Bytes forecast_target(Bytes used, Bytes total, Seconds time_to_oom, const LadderConfig& config,
                      Duration recovery_time) {
  const auto occupied = static_cast<double>(std::min(used, total));
  const auto whole = static_cast<double>(total);
  const double most_freed = (1 - config.target_percent / 100) * whole;
  const Seconds until_next = Seconds(config.cooldown) + Seconds(recovery_time) + Seconds(config.forecast_margin);
  // room / until_next = free / time_to_oom, written so that a time of 0 divides nothing.
  const double free = whole - occupied;
  const bool is_too_fast = free * until_next.count() >= (most_freed + free) * time_to_oom.count();
  const double freed = is_too_fast ? most_freed : free * (until_next / time_to_oom) - free;
  return static_cast<Bytes>(std::max(0.0, occupied - std::max(0.0, freed)));
}

}  // namespace dualgpuopt::memory
