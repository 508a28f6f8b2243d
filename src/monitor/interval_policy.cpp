#include "monitor/interval_policy.h"

#include <algorithm>
#include <cmath>

namespace dualgpuopt::memory {
namespace {

/// Growth that would take more than this to fill the device counts as none.
constexpr double kQuietSeconds = 24 * 3600.0;

bool is_quiet(const DeviceSnapshot& device) {
  if (device.status != DeviceStatus::Ok || device.level != Level::Normal || !device.forecast) return false;
  const auto& memory = *device.reading.memory;
  if (device.forecast->time_to_oom || !memory.total) return false;
  return std::abs(device.forecast->slope_bytes_per_second) * kQuietSeconds <= static_cast<double>(*memory.total);
}

/// What this device alone asks for; `relaxed` where it asks for nothing.
Duration wanted_interval(const PollingConfig& polling, const DeviceSnapshot& device, Duration relaxed) {
  if (device.status != DeviceStatus::Ok) return polling.usual;
  if (device.level >= Level::Critical) return polling.shortest;
  if (device.forecast && device.forecast->time_to_oom_low) {
    const auto until = std::chrono::duration_cast<Duration>(*device.forecast->time_to_oom_low);
    return std::min<Duration>(until / kReadingsBeforeOom, polling.usual);
  }
  return is_quiet(device) ? relaxed : polling.usual;
}

}  // namespace

Duration next_interval(const PollingConfig& polling, const Snapshot& snapshot, Duration present) {
  if (polling.shortest == polling.longest) return polling.usual;
  const Duration relaxed = std::max(present * 2, polling.usual);
  Duration interval = snapshot.devices.empty() ? polling.usual : relaxed;
  for (const auto& device : snapshot.devices) interval = std::min(interval, wanted_interval(polling, device, relaxed));
  return std::clamp(interval, polling.shortest, polling.longest);
}

}  // namespace dualgpuopt::memory
