#include "legacy_stats.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

namespace nb = nanobind;

namespace dualgpuopt::memory::python {
namespace {

/// What the original calls total, used, free and reserved.
struct Amounts {
  Bytes total = 0, used = 0, free = 0, reserved = 0;

  explicit Amounts(const MemoryUse& memory)
      : total(memory.total.value_or(0)),
        used(memory.occupied()),
        free(memory.free.value_or(0)),
        reserved(memory.reserved.value_or(0)) {}
  [[nodiscard]] double used_percent() const {
    return total == 0 ? 0.0 : static_cast<double>(used) / static_cast<double>(total) * 100.0;
  }
};

double age(const NativeMonitor& monitor, const Reading& reading) {
  return monitor.now() - seconds_since_origin(reading.time.mono);
}

/// The reading of a device that is ok and young enough, else null.
const Reading* fresh_reading(NativeMonitor& monitor, int gpu, double max_age_s) {
  if (monitor.closed()) return nullptr;
  const auto* device = monitor.snapshot().find(gpu);
  if (device == nullptr || device->status != DeviceStatus::Ok) return nullptr;
  return age(monitor, device->reading) <= max_age_s ? &device->reading : nullptr;
}

nb::dict process_memory(const ProcessList* list) {
  nb::dict by_pid;
  if (list == nullptr) return by_pid;
  for (const auto& process : list->entries) {
    if (process.kind != ProcessKind::Graphics) by_pid[nb::int_(process.pid)] = nb::cast(process.used);
  }
  return by_pid;
}

nb::object wall_seconds(const TimeStamp& time) {
  return time.wall ? nb::cast(Seconds(time.wall->time_since_epoch()).count()) : nb::none();
}

nb::dict divided(const Reading& reading, double divisor) {
  const Amounts amounts(*reading.memory);
  const auto in_unit = [divisor](Bytes amount) { return static_cast<double>(amount) / divisor; };
  nb::dict stats;
  stats["total"] = in_unit(amounts.total);
  stats["used"] = in_unit(amounts.used);
  stats["free"] = in_unit(amounts.free);
  stats["reserved"] = in_unit(amounts.reserved);
  stats["cached"] = 0.0;
  return stats;
}

/// What `describe` makes of every device that can be read, by index; None if one of the readings is too old.
template <typename Describe>
nb::object of_all(NativeMonitor& monitor, double max_age_s, Describe describe) {
  if (monitor.closed()) return nb::none();
  const auto& snapshot = monitor.snapshot();
  if (snapshot.sequence == 0) return nb::none();
  nb::dict all;
  for (const auto& device : snapshot.devices) {
    if (device.status != DeviceStatus::Ok) continue;
    if (age(monitor, device.reading) > max_age_s) return nb::none();
    all[nb::int_(device.device->gpu)] = describe(device);
  }
  return all;
}

nb::dict as_dict(const DeviceSnapshot& device) {
  const Amounts amounts(*device.reading.memory);
  nb::dict stats;
  stats["gpu_id"] = device.device->gpu;
  stats["total_memory_bytes"] = amounts.total;
  stats["used_memory_bytes"] = amounts.used;
  stats["free_memory_bytes"] = amounts.free;
  stats["reserved_memory_bytes"] = amounts.reserved;
  stats["cached_memory_bytes"] = 0;
  stats["usage_percent"] = amounts.used_percent();
  stats["process_memory"] = process_memory(device.processes.get());
  stats["timestamp"] = wall_seconds(device.reading.time);
  return stats;
}

}  // namespace

nb::object memory(NativeMonitor& monitor, int gpu, double max_age_s) {
  const auto* reading = fresh_reading(monitor, gpu, max_age_s);
  if (reading == nullptr) return nb::none();
  const Amounts amounts(*reading->memory);
  return nb::make_tuple(amounts.total, amounts.used, amounts.free, amounts.reserved);
}

nb::object memory_stats(NativeMonitor& monitor, int gpu, double divisor, double max_age_s) {
  const auto* reading = fresh_reading(monitor, gpu, max_age_s);
  return reading == nullptr ? nb::none() : nb::object(divided(*reading, divisor));
}

nb::object all_divided(NativeMonitor& monitor, double divisor, double max_age_s) {
  return of_all(monitor, max_age_s,
                [divisor](const DeviceSnapshot& device) { return divided(device.reading, divisor); });
}

nb::object all_memory_stats(NativeMonitor& monitor, double max_age_s) { return of_all(monitor, max_age_s, as_dict); }

nb::list usage(NativeMonitor& monitor) {
  nb::list all;
  if (monitor.closed()) return all;
  for (const auto& device : monitor.snapshot().devices) {
    if (device.status != DeviceStatus::Ok) continue;
    const Amounts amounts(*device.reading.memory);
    all.append(nb::make_tuple(device.device->gpu, amounts.total, amounts.used, amounts.free, amounts.reserved,
                              wall_seconds(device.reading.time), process_memory(device.processes.get()),
                              age(monitor, device.reading), seconds_since_origin(device.reading.time.mono)));
  }
  return all;
}

nb::list unavailable(NativeMonitor& monitor) {
  nb::list all;
  if (monitor.closed()) return all;
  for (const auto& device : monitor.snapshot().devices) {
    if (device.status == DeviceStatus::Ok || device.is_awaited) continue;
    all.append(nb::make_tuple(device.device->gpu, device.reason));
  }
  return all;
}

}  // namespace dualgpuopt::memory::python
