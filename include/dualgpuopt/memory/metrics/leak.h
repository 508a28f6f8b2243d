// A leak: memory that is taken again and again and never given back.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "dualgpuopt/memory/core/clock.h"
#include "dualgpuopt/memory/core/units.h"
#include "dualgpuopt/memory/metrics/reading.h"

namespace dualgpuopt::memory {

/// Growth of the floor, which is the least that was in use in each of a row of windows.
struct LeakEstimate {
  double bytes_per_second = 0;  ///< The median growth from one window to the next, a second.
  double confidence = 0;        ///< 0 to 1: 1 - p of a sign test; see LeakDetector.
  Bytes grown = 0;              ///< Over the windows that show it.
  Seconds lasting{};            ///< From the first of these windows to the last.

  friend bool operator==(const LeakEstimate&, const LeakEstimate&) = default;
};

/// Whose leak: a process by PID and start time, or the device as a whole.
struct Leak {
  std::optional<pid_t> pid;  ///< Empty: the device.
  std::optional<std::uint64_t> start_ticks;
  std::string name;  ///< Of the process; empty for the device.
  LeakEstimate estimate;

  /// "leaks 12 MiB/min: 340 MiB in 28 min (99.8 % sure)", with the process in front where there is one.
  [[nodiscard]] std::string text() const;

  friend bool operator==(const Leak&, const Leak&) = default;
};

/// One JSON line; see docs/json.md.
[[nodiscard]] std::string to_json(const Leak& leak, int gpu, const TimeStamp& time, Provenance provenance);

}  // namespace dualgpuopt::memory
