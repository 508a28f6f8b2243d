// A source must not throw; one that does must not take the process with it.
#pragma once

#include "dualgpuopt/memory/core/clock.h"
#include "dualgpuopt/memory/sources/memory_source.h"

namespace dualgpuopt::memory {

/// source.read(), with an exception turned into an unavailable reading that says what it said.
[[nodiscard]] Reading guarded_read(MemorySource& source, int gpu, ReadDetail detail, const Clock& clock);
/// source.enumerate(), with an exception turned into an error (Unavailable).
[[nodiscard]] Result<std::vector<Device>> guarded_enumerate(MemorySource& source);

}  // namespace dualgpuopt::memory
