// What the monitor knows at one moment, published whole and never changed.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dualgpuopt/memory/alerts/adaptive_thresholds.h"
#include "dualgpuopt/memory/metrics/device.h"
#include "dualgpuopt/memory/metrics/forecast.h"
#include "dualgpuopt/memory/metrics/forecast_accuracy.h"
#include "dualgpuopt/memory/metrics/leak.h"
#include "dualgpuopt/memory/metrics/level.h"
#include "dualgpuopt/memory/metrics/reading.h"

namespace dualgpuopt::memory {

/// One device in a snapshot. `reading` is the last good one where status is Stale, so its age is `Snapshot::time` minus
/// its own time; level and forecast are those of that reading.
struct DeviceSnapshot {
  std::shared_ptr<const Device> device;
  DeviceStatus status = DeviceStatus::Unavailable;
  std::string reason;  ///< Why it is stale or unavailable.
  Reading reading;
  Level level = Level::Normal;
  std::optional<Forecast> forecast;
  std::shared_ptr<const ProcessList> processes;   ///< The newest list, with its own time; null before the first.
  Bytes peak_used = 0;                            ///< The most occupied bytes since the monitor began.
  std::vector<DeviceEvent> events = {};           ///< The newest eight that the driver reported, oldest first.
  bool is_awaited = false;                        ///< Its first reading has neither come nor been given up.
  ForecastAccuracy accuracy = {};                 ///< Of the forecasts that have come due since the monitor began.
  std::vector<Leak> leaks = {};                   ///< The device's own first, then its processes', the fastest first.
  std::vector<LearnedThreshold> thresholds = {};  ///< Where they are adaptive: those that have been moved.
};

/// All devices at one step. Immutable once published; safe to keep and to share.
struct Snapshot {
  std::uint64_t sequence = 0;  ///< Counts the steps, from 1; 0: nothing was read yet.
  TimeStamp time;
  Provenance provenance = Provenance::Driver;
  std::vector<DeviceSnapshot> devices;  ///< In the order of enumeration.

  /// Null if there is no such device.
  [[nodiscard]] const DeviceSnapshot* find(int gpu) const;
};

}  // namespace dualgpuopt::memory
