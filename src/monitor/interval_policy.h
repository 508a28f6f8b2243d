// How soon to read again: often when memory is running out, seldom when nothing happens.
#pragma once

#include "dualgpuopt/memory/monitor/monitor_config.h"
#include "dualgpuopt/memory/monitor/snapshot.h"

namespace dualgpuopt::memory {

/// Between polling.shortest and polling.longest:
/// - the early end of a foreseen out-of-memory is to be met by at least kReadingsBeforeOom readings;
/// - at Critical and above, the shortest interval; at Warning, no longer than usual;
/// - Quiet devices (no growth, nothing foreseen, below Warning) may wait longer: twice the present interval each time.
[[nodiscard]] Duration next_interval(const PollingConfig& polling, const Snapshot& snapshot, Duration present);

inline constexpr int kReadingsBeforeOom = 30;

}  // namespace dualgpuopt::memory
