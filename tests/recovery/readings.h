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

inline const std::set<RecoveryStrategy>& all_strategies() {
  static const std::set<RecoveryStrategy> all{RecoveryStrategy::ClearCache, RecoveryStrategy::ReduceBatch,
                                              RecoveryStrategy::Offload, RecoveryStrategy::Terminate};
  return all;
}

}  // namespace dualgpuopt::memory::testing
