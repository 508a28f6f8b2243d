// Whether a driver has given back what a process held. Pure.
#pragma once

#include <vector>

#include "dualgpuopt/memory/metrics/reading.h"
#include "dualgpuopt/memory/processes/process_table.h"

namespace dualgpuopt::memory {

/// What the processes hold on the device by the reading's list: those that are alive there, by PID and start time.
[[nodiscard]] Bytes held_by(const std::vector<ProcessIdentity>& processes, const Reading& reading);

/// Whether the device's use fell by what the victims held, with what others took or gave up meanwhile, by the two
/// lists, set against it, and an eighth (at least 4 MiB) forgiven. A list alone proves nothing: drivers list some
/// processes for a while after their end, and take others off before the memory is back. Both readings are readable.
[[nodiscard]] bool has_come_back(Bytes held, const std::vector<ProcessIdentity>& victims, const Reading& before,
                                 const Reading& after);

}  // namespace dualgpuopt::memory
