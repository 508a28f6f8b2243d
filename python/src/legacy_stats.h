// The dictionaries of the original module, built here because programs read them often.
#pragma once

#include <nanobind/nanobind.h>

#include "native_monitor.h"

namespace dualgpuopt::memory::python {

/// (total, used, free, reserved) in bytes of a device that can be read and whose reading is not older than `max_age_s`,
/// else None. used = total - free, so that 100 % is reached when nothing is free; reserved is 0 where it is not known.
[[nodiscard]] nanobind::object memory(NativeMonitor& monitor, int gpu, double max_age_s);
/// {"total", "used", "free", "reserved", "cached"} as floats, divided by `divisor`; None as above.
[[nodiscard]] nanobind::object memory_stats(NativeMonitor& monitor, int gpu, double divisor, double max_age_s);
/// The same of every device that can be read, by index; None if one of those readings is older than `max_age_s`, or
/// nothing was read yet.
[[nodiscard]] nanobind::object all_divided(NativeMonitor& monitor, double divisor, double max_age_s);
/// The original's as_dict() of every device that can be read, by index; None if one of those readings is older than
/// `max_age_s`, or nothing was read yet.
[[nodiscard]] nanobind::object all_memory_stats(NativeMonitor& monitor, double max_age_s);
/// A tuple for each device that can be read: (gpu, total, used, free, reserved, wall time, {pid: bytes}, age,
/// time on the monitor's clock).
[[nodiscard]] nanobind::list usage(NativeMonitor& monitor);
/// (gpu, reason) for each device that cannot; one whose first reading is still awaited is neither.
[[nodiscard]] nanobind::list unavailable(NativeMonitor& monitor);

}  // namespace dualgpuopt::memory::python
