// A device's processes through NVML: three lists, made into one entry a process.
#pragma once

#include <string>
#include <vector>

#include "dualgpuopt/memory/metrics/reading.h"
#include "dualgpuopt/memory/processes/driver_pids.h"
#include "sources/nvml_library.h"

namespace dualgpuopt::memory::nvml {

/// All entries of one of a device's lists, however many. Error (Unavailable): the driver's words, or a list that cannot
/// be true.
[[nodiscard]] Result<std::vector<ProcessV2>> list_processes(const Library& library, ProcessListKind kind,
                                                            Handle device);

/// What a device's lists hold.
struct ProcessLists {
  std::vector<ProcessV2> compute;
  std::vector<ProcessV2> graphics;
  std::vector<ProcessV2> mps;  ///< The clients of the Multi-Process Service, and its server.
};

/// One entry a process, by ascending PID of the driver. A process that is in several lists is one whose use is the
/// largest of the figures, since each covers all it has; on a partitioned GPU its instances add up. Use is empty where
/// the driver gives none.
[[nodiscard]] std::vector<ProcessMemory> merge(const ProcessLists& lists);

/// All lists merged, with what `pids` knows of each process. A list that the device does not support is empty; if
/// neither the first nor the second is supported, or one fails otherwise, there are no entries and the reason says why.
/// A use above `total`, where that is known, is not believed.
[[nodiscard]] ProcessList read_processes(const Library& library, Handle device, const DriverPids& pids, TimeStamp time,
                                         std::optional<Bytes> total);

}  // namespace dualgpuopt::memory::nvml
