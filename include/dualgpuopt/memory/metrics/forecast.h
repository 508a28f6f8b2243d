// A forecast: when a device will be out of memory, and how sure that is.
#pragma once

#include <optional>

#include "dualgpuopt/memory/core/clock.h"
#include "dualgpuopt/memory/core/units.h"

namespace dualgpuopt::memory {

/// What the past of one device says of its next `horizon`. It foresees exhaustion, the moment when nothing is free: a
/// single request larger than what is free fails earlier, and one that comes and fails between two readings is never
/// seen. All numbers are finite.
struct Forecast {
  TimeStamp time;
  Duration horizon{};

  /// Median time until the capacity is reached, with an 80 % interval; empty: none foreseen, or no known capacity.
  /// `time_to_oom_high` alone is empty when the slow end of the interval is never.
  std::optional<Seconds> time_to_oom;
  std::optional<Seconds> time_to_oom_low;
  std::optional<Seconds> time_to_oom_high;

  /// Probability, 0 to 1, that the capacity is reached within `horizon`; empty without a known capacity.
  std::optional<double> risk;

  /// Expected use at the horizon with an 80 % interval.
  Bytes expected_used = 0;
  Bytes expected_used_low = 0;
  Bytes expected_used_high = 0;

  double slope_bytes_per_second = 0;  ///< The growth it reckons with.

  friend bool operator==(const Forecast&, const Forecast&) = default;
};

}  // namespace dualgpuopt::memory
