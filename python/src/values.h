// The core's values as plain Python tuples, from which the package builds its own classes (metrics.py, alerts.py,
// recovery.py): field for field in the order of those. Enumerators are their lower-case names, durations and times
// seconds, what is not available is None. All functions need the GIL.
#pragma once

#include <nanobind/nanobind.h>

#include "dualgpuopt/memory/alerts/memory_alert.h"
#include "dualgpuopt/memory/metrics/decision.h"
#include "dualgpuopt/memory/metrics/history.h"
#include "dualgpuopt/memory/monitor/snapshot.h"

namespace dualgpuopt::memory::python {

[[nodiscard]] nanobind::tuple to_python(const Device& device);
[[nodiscard]] nanobind::tuple to_python(const Reading& reading);
[[nodiscard]] nanobind::tuple to_python(const Forecast& forecast);
[[nodiscard]] nanobind::tuple to_python(const Snapshot& snapshot);
[[nodiscard]] nanobind::tuple to_python(const MemoryAlert& alert);
[[nodiscard]] nanobind::tuple to_python(const Decision& decision);

/// What a source written in Python says of a device: (gpu, key, name, uuid, pci_address, parent_key, vendor, kind).
/// Throws nanobind::python_error or std::exception where the tuple is not like that.
[[nodiscard]] Device device_from_python(nanobind::handle tuple);
/// (total, used, free, reserved, processes), each number None where it is not known, processes None or a list of
/// (pid, used); or a text, the reason why the device cannot be read. The reading has no time yet.
[[nodiscard]] Reading reading_from_python(nanobind::handle value);

/// (what, bytes, score, chosen, reason), as recovery.py has it.
[[nodiscard]] Candidate candidate_from_python(nanobind::handle value);

}  // namespace dualgpuopt::memory::python
