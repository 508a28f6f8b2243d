// Readings as the tests of this module need them: GPU 0 with 100 GiB, so that a percent is a GiB.
#pragma once

#include "dualgpuopt/memory/metrics/reading.h"

namespace dualgpuopt::memory {

inline MemoryUse use_of_percent(double percent) {
  return MemoryUse::from_used_and_total(static_cast<Bytes>(percent * static_cast<double>(1_GiB)), 100_GiB);
}

inline Reading reading_of(MemoryUse memory, Duration at = {}) {
  Reading reading;
  reading.time.mono = MonoTime(at);
  reading.memory = memory;
  return reading;
}

inline Reading reading_of_percent(double percent, Duration at = {}) { return reading_of(use_of_percent(percent), at); }

inline Reading lost_reading(Duration at) {
  return Reading::unavailable(0, {MonoTime(at), {}}, Provenance::Driver, "GPU is lost");
}

}  // namespace dualgpuopt::memory
