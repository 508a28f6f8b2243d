// An alert: a level was reached, still lasts, or is over.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dualgpuopt/memory/alerts/thresholds.h"
#include "dualgpuopt/memory/metrics/forecast.h"
#include "dualgpuopt/memory/metrics/reading.h"

namespace dualgpuopt::memory {

enum class AlertEvent { Raised, Repeated, Cleared };
[[nodiscard]] std::string_view to_string(AlertEvent event);

/// What subscribers are told. Message and recommendations are those of the original module.
struct MemoryAlert {
  AlertEvent event = AlertEvent::Raised;
  Level level = Level::Warning;    ///< The level that is raised, repeated or cleared; never Normal.
  Level current = Level::Warning;  ///< The level now in force; lower than `level` when cleared.
  int gpu = 0;
  TimeStamp time;
  Provenance provenance = Provenance::Driver;
  std::string message;                                ///< "Memory usage on GPU 0 is high"
  std::vector<std::string> recommendations;           ///< In order of importance; empty when cleared.
  MemoryUse memory;                                   ///< Context: the measurement behind it.
  double used_percent = 0;                            ///< Occupied share of the total.
  LevelThreshold threshold;                           ///< The level's threshold,
  ThresholdKind reached_by = ThresholdKind::Percent;  ///< and which part of it was reached.
  std::optional<Forecast> forecast;                   ///< Of that moment, where there is one.
  std::vector<DeviceEvent> events = {};               ///< Errors that the driver reported before, oldest first.

  /// "[GPU 0] WARNING: Memory usage on GPU 0 is high (84.0% > 80.0%)"; by free bytes "(1.2 GiB free < 2.0 GiB)".
  /// by time to OOM "[GPU 0] WARNING: GPU 0 is forecast to run out of memory (in 41 s, grows by 20 MiB/s)".
  /// Where the threshold is not reached now (a cleared alert, or a repeated one within the hysteresis) it ends in the
  /// measurement alone: "(71.0%)", "(2.1 GiB free)". The same for every provenance.
  [[nodiscard]] std::string text() const;
};

/// The message of an alert: for a cleared one "Memory usage on GPU 0 is back under the warning level", or, while a
/// lower level remains in force, "Memory usage on GPU 0 fell from emergency to warning".
[[nodiscard]] std::string alert_message(AlertEvent event, Level level, Level current, int gpu);
/// The message of a level that only a forecast has reached.
[[nodiscard]] std::string forecast_message(int gpu);
/// What to do at a level, in order of importance; empty for Normal.
[[nodiscard]] std::vector<std::string> alert_recommendations(Level level);

/// One JSON line; see docs/json.md.
[[nodiscard]] std::string to_json(const MemoryAlert& alert);

}  // namespace dualgpuopt::memory
