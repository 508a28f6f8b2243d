// One reading, one forecast, one alert, one decision in words: the same in every view.
#pragma once

#include <string>

#include "dualgpuopt/memory/alerts/memory_alert.h"
#include "dualgpuopt/memory/metrics/decision.h"
#include "dualgpuopt/memory/monitor/snapshot.h"

namespace dualgpuopt::memory::cli {

/// "" for a driver's numbers, else "SIMULATED" or "REPLAYED".
[[nodiscard]] std::string provenance_label(Provenance provenance);

/// "18.2 / 24.0 GiB", with one unit for both; "18.2 GiB" without a total; "~18.2 / 24.0 GiB" for an estimate.
[[nodiscard]] std::string describe_use(const MemoryUse& memory, ByteUnit unit);
/// The level, or "shared" where a GPU's memory belongs to its MIG instances and is not judged.
[[nodiscard]] std::string_view describe_level(const DeviceSnapshot& device);
/// "Xid 79 (the GPU has fallen off the bus)", several with commas between; "" for none.
[[nodiscard]] std::string describe_events(const std::vector<DeviceEvent>& events);
/// What to call a process: its name, and what is odd about it.
[[nodiscard]] std::string describe_process(const ProcessMemory& process);
/// "+12 MiB/s", "steady", or "" where nothing is known.
[[nodiscard]] std::string describe_trend(const std::optional<Forecast>& forecast);
/// "in 1 min 10 s (40 s to 3 min 00 s)", or "none foreseen", or "" where nothing is known.
[[nodiscard]] std::string describe_time_to_oom(const std::optional<Forecast>& forecast);
/// Why exhaustion is foreseen; empty where it is not, or is already there.
[[nodiscard]] std::string describe_cause(const std::optional<Forecast>& forecast);

/// "12:30:01" in the local time zone, else "t=12.500" of the trace.
[[nodiscard]] std::string describe_time(const TimeStamp& time);
/// One line for a device as it stands: time, use, percent, level, trend, time to OOM, or why it cannot be read.
[[nodiscard]] std::string describe_device(const DeviceSnapshot& device, ByteUnit unit);
/// One line: time, event and the alert's text.
[[nodiscard]] std::string describe_alert(const MemoryAlert& alert);
/// One line: time, number, GPU and reason.
[[nodiscard]] std::string describe_decision(const Decision& decision);

}  // namespace dualgpuopt::memory::cli
