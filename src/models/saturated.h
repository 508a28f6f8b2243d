// From floating point to whole numbers, for descriptions of models that claim anything.
#pragma once

#include <cstdint>

#include "dualgpuopt/memory/core/units.h"

namespace dualgpuopt::memory {

/// More than any machine has, and so little that the sum over all layers of a model does not overflow.
inline constexpr double kMostBytes = 0x1p50;

/// At least 0 and at most kMostBytes; 0 for what is no number.
[[nodiscard]] inline Bytes saturated(double amount) {
  if (!(amount > 0)) return 0;
  return amount < kMostBytes ? static_cast<Bytes>(amount) : static_cast<Bytes>(kMostBytes);
}

}  // namespace dualgpuopt::memory
