// When a device counts as nearly full.
#pragma once

#include <array>
#include <optional>

#include "dualgpuopt/memory/core/error.h"
#include "dualgpuopt/memory/core/units.h"
#include "dualgpuopt/memory/metrics/level.h"
#include "dualgpuopt/memory/metrics/reading.h"

namespace dualgpuopt::memory {

/// One level begins when the percent is reached or when no more than `free` bytes are left, whichever comes first.
struct LevelThreshold {
  double percent = 100;
  std::optional<Bytes> free;
  Duration minimum_duration{};  ///< The level must hold this long before its alert is raised.

  friend bool operator==(const LevelThreshold&, const LevelThreshold&) = default;
};

/// Which half of a LevelThreshold was reached.
enum class ThresholdKind { Percent, FreeBytes };

struct AlertThresholds {
  LevelThreshold warning{80, std::nullopt, {}};
  LevelThreshold critical{90, std::nullopt, {}};
  LevelThreshold emergency{95, std::nullopt, {}};
  /// A level ends only when use is this far under its percent, and free this share above its bytes.
  double hysteresis_percent = 2;
  /// While a level lasts its alert is repeated this often; zero: never.
  Duration repeat_interval = std::chrono::minutes(5);

  /// `level` must not be Normal.
  [[nodiscard]] const LevelThreshold& of(Level level) const;
  /// InvalidArgument unless 0 < warning <= critical <= emergency <= 100, free bytes do not rise with the level,
  /// 0 <= hysteresis_percent < warning, and no duration is negative.
  [[nodiscard]] Result<void> validate() const;

  friend bool operator==(const AlertThresholds&, const AlertThresholds&) = default;
};

/// The level of one measurement, without memory of the past, and what made it so. A device without a known total is
/// at Normal.
struct LevelMatch {
  Level level = Level::Normal;
  ThresholdKind reached_by = ThresholdKind::Percent;
};
[[nodiscard]] LevelMatch match_level(const AlertThresholds& thresholds, const MemoryUse& memory);

}  // namespace dualgpuopt::memory
