// The memory of a GPU that has none of its own.
#pragma once

#include "dualgpuopt/memory/core/error.h"
#include "dualgpuopt/memory/metrics/reading.h"

namespace dualgpuopt::memory::nvml {

/// used = the sum of the processes; free = `available`, what the host could still give away; total = used + free; no
/// reserve. An estimate: the host's figure contains caches that are slow to give back, and other programs compete for
/// it. Unavailable if the use of a process is not known.
[[nodiscard]] Result<MemoryUse> estimate_unified_memory(const ProcessList& processes, Bytes available);

}  // namespace dualgpuopt::memory::nvml
