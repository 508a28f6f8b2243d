// Readings and evidence as the tests of this room need them: a device of 24 GiB.
#pragma once

#include "dualgpuopt/memory/recovery/climb.h"

namespace dualgpuopt::memory::testing {

inline constexpr Bytes kTotal = Bytes{24} << 30;

inline Reading reading_of(Bytes used, int gpu = 0, Provenance provenance = Provenance::Driver) {
  Reading reading;
  reading.gpu = gpu;
  reading.provenance = provenance;
  reading.memory = MemoryUse::from_used_and_total(used, kTotal);
  return reading;
}

inline Reading lost(std::string reason, int gpu = 0) {
  return Reading::unavailable(gpu, {}, Provenance::Driver, std::move(reason));
}

inline ClimbEvidence evidence_of(Bytes used, Level level = Level::Critical, Provenance provenance = Provenance::Driver,
                                 int gpu = 0) {
  return {gpu, level, reading_of(used, gpu, provenance), std::nullopt};
}

/// Of a device that is nearly full, whatever its level is said to be.
inline ClimbEvidence evidence_at(Level level, int gpu) { return evidence_of(Bytes{23} << 30, level, {}, gpu); }

/// Of a device that a forecast, not its level, calls to recover.
inline ClimbEvidence foreseen_evidence(Bytes used, Seconds time_to_oom, Duration recovery_time = {},
                                       Provenance provenance = Provenance::Driver) {
  auto evidence = evidence_of(used, Level::Warning, provenance);
  evidence.forecast = Forecast{};
  evidence.forecast->time_to_oom = time_to_oom;
  evidence.cause = ClimbCause::Forecast;
  evidence.recovery_time = recovery_time;
  return evidence;
}

inline const std::set<RecoveryStrategy>& all_strategies() {
  static const std::set<RecoveryStrategy> all{RecoveryStrategy::ClearCache, RecoveryStrategy::ReduceBatch,
                                              RecoveryStrategy::Offload, RecoveryStrategy::Terminate};
  return all;
}

}  // namespace dualgpuopt::memory::testing
