// What one motion of a simulated process adds, as a pure function of time; private to the library.
#pragma once

#include <cstdint>

#include "dualgpuopt/memory/sources/scenario.h"

namespace dualgpuopt::memory {

/// Bytes and nanoseconds multiplied: wide enough for any two of them, so that the arithmetic is exact and the same on
/// every machine.
__extension__ using WideBytes = __int128;

/// What tells one stream of noise from another.
struct NoiseKey {
  std::uint64_t seed = 0;
  std::uint64_t lap = 0;  ///< How often the scenario has started again.
  std::uint64_t gpu = 0;
  std::uint64_t process = 0;
  std::uint64_t motion = 0;
};

/// What `motion` adds `elapsed` after the start of its process; within +/- 2^62.
[[nodiscard]] WideBytes motion_amount(const Motion& motion, Duration elapsed, const NoiseKey& key);

}  // namespace dualgpuopt::memory
