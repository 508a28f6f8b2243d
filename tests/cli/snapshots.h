// Snapshots for what is shown on a screen.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "dualgpuopt/memory/monitor/snapshot.h"

namespace dualgpuopt::memory::cli {

/// A device with so many bytes used of 24 GiB and a forecast that foresees nothing.
inline DeviceSnapshot device_at(int gpu, Bytes used, Level level = Level::Normal) {
  DeviceSnapshot device;
  device.device =
      std::make_shared<Device>(Device{gpu, "key", "NVIDIA L4", {}, {}, {}, Vendor::Nvidia, DeviceKind::Gpu});
  device.status = DeviceStatus::Ok;
  device.reading.gpu = gpu;
  device.reading.memory = MemoryUse::from_used_and_total(used, 24_GiB);
  device.level = level;
  device.forecast.emplace();
  device.forecast->risk = 0;
  return device;
}

/// The same, about to run out in so many seconds, give or take half.
inline DeviceSnapshot device_running_out(int gpu, Bytes used, double seconds) {
  auto device = device_at(gpu, used, Level::Critical);
  device.forecast->time_to_oom = Seconds(seconds);
  device.forecast->time_to_oom_low = Seconds(seconds / 2);
  device.forecast->time_to_oom_high = Seconds(seconds * 1.5);
  device.forecast->slope_bytes_per_second = 12.0 * (1 << 20);
  device.forecast->regime = Regime::Growing;
  return device;
}

inline DeviceSnapshot unavailable_device(int gpu, std::string reason) {
  auto device = device_at(gpu, 0);
  device.status = DeviceStatus::Unavailable;
  device.reading.memory.reset();
  device.reading.reason = reason;
  device.reason = std::move(reason);
  device.forecast.reset();
  return device;
}

inline Snapshot snapshot_of(std::vector<DeviceSnapshot> devices, Provenance provenance = Provenance::Driver) {
  Snapshot snapshot;
  snapshot.sequence = 1;
  snapshot.time.mono = MonoTime(std::chrono::milliseconds(12'500));
  snapshot.provenance = provenance;
  snapshot.devices = std::move(devices);
  for (auto& device : snapshot.devices) {
    device.reading.provenance = provenance;
    device.reading.time = snapshot.time;
  }
  return snapshot;
}

}  // namespace dualgpuopt::memory::cli
