// Whether a reading is good enough to end a process by. Pure.
#pragma once

#include <string>

#include "dualgpuopt/memory/metrics/reading.h"

namespace dualgpuopt::memory {

/// Why it is not; empty if it is: readable, a driver's own, and with a good list of processes.
[[nodiscard]] std::string unusable_for_ending(const Reading& reading);

}  // namespace dualgpuopt::memory
