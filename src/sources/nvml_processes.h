// A device's processes through NVML: two lists, made into one entry a process.
#pragma once

#include <string>
#include <vector>

#include "dualgpuopt/memory/metrics/reading.h"
#include "dualgpuopt/memory/processes/process_table.h"
#include "sources/nvml_library.h"

namespace dualgpuopt::memory::nvml {

/// All entries of one of a device's lists, however many. Error (Unavailable): the driver's words, or a list that cannot
/// be true.
[[nodiscard]] Result<std::vector<ProcessV2>> list_processes(const Library& library, ProcessListKind kind,
                                                            Handle device);

/// One entry a process, by ascending PID. A process that is in both lists is one whose use is the larger of the two
/// figures, since each covers all it has; on a partitioned GPU its instances add up. Use is empty where the driver
/// gives none.
[[nodiscard]] std::vector<ProcessMemory> merge(const std::vector<ProcessV2>& compute,
                                               const std::vector<ProcessV2>& graphics);

/// Both lists merged, with names and start times from `table`. A list that the device does not support is empty; if
/// neither is supported, or one fails otherwise, there are no entries and the reason says why.
/// Known limit: in a container with its own PID namespace many drivers give the host's PIDs. Most of them mean nothing
/// there and stay without name, but one may by chance be the PID of another process inside.
[[nodiscard]] ProcessList read_processes(const Library& library, Handle device, const ProcessTable& table,
                                         TimeStamp time);

}  // namespace dualgpuopt::memory::nvml
