// The one thing recovery needs of the rest of the house: a fresh measurement.
#pragma once

#include "dualgpuopt/memory/metrics/reading.h"

namespace dualgpuopt::memory {

/// Measures a device now. Implementations are thread-safe, return within their own deadline, and answer with
/// Reading::unavailable rather than with an old value.
class MemoryPort {
 public:
  virtual ~MemoryPort() = default;
  [[nodiscard]] virtual Reading measure(int gpu, ReadDetail detail) = 0;
};

}  // namespace dualgpuopt::memory
