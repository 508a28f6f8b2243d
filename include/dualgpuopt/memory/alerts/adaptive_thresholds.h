// Thresholds that follow what a device does.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "dualgpuopt/memory/alerts/thresholds.h"
#include "dualgpuopt/memory/metrics/reading.h"

namespace dualgpuopt::memory {

/// The room that a level leaves: by how much use rises above its peak, as a rule, within the time.
struct Headroom {
  Bytes rise = 0;
  Duration within{};

  friend bool operator==(const Headroom&, const Headroom&) = default;
};

/// Of warning, critical and emergency; empty: not known yet.
using Headrooms = std::array<std::optional<Headroom>, 3>;

/// A threshold that was moved, and why.
struct LearnedThreshold {
  Level level = Level::Warning;
  double percent = 0;     ///< Where the level begins now,
  double configured = 0;  ///< and where the configuration put it.
  Headroom headroom;

  /// "warning from 62.5 % (80 %): within 1 min use rises by up to 30.0 GiB above its peak".
  [[nodiscard]] std::string text() const;

  friend bool operator==(const LearnedThreshold&, const LearnedThreshold&) = default;
};

/// How long the levels have to leave room for: emergency for one recovery, critical for two, because the first may not
/// suffice, warning for one after the forecasts' horizon.
[[nodiscard]] std::array<Duration, 3> reaction_times(Duration recovery_time, Duration horizon);

/// Each level whose headroom is known begins where that much of `total` is left, within its range; a level never begins
/// above a higher one. What is configured stays where the headroom is not known.
[[nodiscard]] AlertThresholds adapt(const AlertThresholds& configured, const Headrooms& headrooms, Bytes total);

/// Those of `adapted` whose headroom is known.
[[nodiscard]] std::vector<LearnedThreshold> learned_thresholds(const AlertThresholds& configured,
                                                               const AlertThresholds& adapted,
                                                               const Headrooms& headrooms);

/// One JSON line; see docs/json.md.
[[nodiscard]] std::string to_json(const LearnedThreshold& threshold, int gpu, const TimeStamp& time,
                                  Provenance provenance);

}  // namespace dualgpuopt::memory
