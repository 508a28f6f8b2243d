// When a device counts as nearly full.
#pragma once

#include <optional>
#include <string_view>

#include "dualgpuopt/memory/core/error.h"
#include "dualgpuopt/memory/core/units.h"
#include "dualgpuopt/memory/metrics/level.h"
#include "dualgpuopt/memory/metrics/reading.h"

namespace dualgpuopt::memory {

/// Where a threshold may move to when thresholds are adaptive.
struct PercentRange {
  double lowest = 0;
  double highest = 100;

  friend bool operator==(const PercentRange&, const PercentRange&) = default;
};

/// One level begins when the percent is reached, when no more than `free` bytes are left, or when exhaustion is
/// forecast within `time_to_oom`, whichever comes first.
struct LevelThreshold {
  double percent = 100;
  std::optional<Bytes> free;
  Duration minimum_duration{};  ///< The level must hold this long before its alert is raised.
  std::optional<Seconds> time_to_oom = {};
  PercentRange range = {};

  friend bool operator==(const LevelThreshold&, const LevelThreshold&) = default;
};

/// Which part of a LevelThreshold was reached.
enum class ThresholdKind { Percent, FreeBytes, TimeToOom };
[[nodiscard]] std::string_view to_string(ThresholdKind kind);

/// Which half of `threshold` a measurement has reached, the percent where both are; the forecast is no measurement.
/// Free bytes count only where the source knows them. With `hysteresis_percent`, each half is reached that much sooner:
/// it is how long a level lasts. Empty when neither half is reached, or without a known total.
[[nodiscard]] std::optional<ThresholdKind> reached_half(const LevelThreshold& threshold, const MemoryUse& memory,
                                                        double hysteresis_percent = 0);

struct AlertThresholds {
  LevelThreshold warning{80, std::nullopt, {}, Seconds(60), {60, 90}};
  LevelThreshold critical{90, std::nullopt, {}, {}, {75, 95}};
  LevelThreshold emergency{95, std::nullopt, {}, {}, {85, 98}};
  /// The percents move with what the device does, each within its range (adaptive_thresholds.h).
  bool adaptive = false;
  /// A level ends only when use is more than this far under its percent (in points), and free more than this share
  /// above its bytes: with 2, a warning at 80 % and 10 GiB lasts down to 78 % and up to 10.2 GiB.
  double hysteresis_percent = 2;
  /// A level that a forecast reached ends only when for `forecast_hold` no time to OOM under kForecastHysteresis times
  /// its own was forecast: forecasts come and go.
  static constexpr double kForecastHysteresis = 1.5;
  Duration forecast_hold = std::chrono::seconds(10);
  /// While a level lasts its alert is repeated this often; zero: never.
  Duration repeat_interval = std::chrono::minutes(5);

  /// `level` must not be Normal.
  [[nodiscard]] const LevelThreshold& of(Level level) const;
  /// InvalidArgument unless 0 < warning <= critical <= emergency <= 100 (in percent), free bytes do not rise with the
  /// level, 0 <= hysteresis_percent < warning, times to OOM are above 0, finite and do not rise with the level, and no
  /// duration is negative. Where they are adaptive, also unless the hysteresis is less than all of the warning's range,
  /// and the ranges lie within 0 and 100, are not empty and do not fall with the level.
  [[nodiscard]] Result<void> validate() const;

  friend bool operator==(const AlertThresholds&, const AlertThresholds&) = default;
};

/// The level of one measurement, without memory of the past, and what made it so: the highest whose threshold is
/// reached. A device without a known total is at Normal.
struct LevelMatch {
  Level level = Level::Normal;
  ThresholdKind reached_by = ThresholdKind::Percent;
};
[[nodiscard]] LevelMatch match_level(const AlertThresholds& thresholds, const MemoryUse& memory);

}  // namespace dualgpuopt::memory
