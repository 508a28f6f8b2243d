// A forecast: when a device will be out of memory, and how sure that is.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "dualgpuopt/memory/core/clock.h"
#include "dualgpuopt/memory/core/units.h"

namespace dualgpuopt::memory {

/// What kind of past a forecast was made of.
enum class Regime {
  Unknown,    ///< Too few readings.
  Steady,     ///< Nothing moves that would matter within the horizon.
  Restless,   ///< It moves, without a direction.
  Growing,    ///< A straight line upward.
  Falling,    ///< A straight line downward.
  Stepping,   ///< Equal steps upward: a model that is being loaded, a cache that takes block after block.
  Recurring,  ///< It was at the capacity before, more than once, from states like this one.
  Returning,  ///< It was at the capacity a short while ago, and what falls mostly comes back.
};
[[nodiscard]] std::string_view to_string(Regime regime);

/// What the past of one device says of its next `horizon`. It foresees exhaustion, the moment when nothing is free: a
/// single request larger than what is free fails earlier, and one that comes and fails between two readings is never
/// seen. All numbers are finite.
struct Forecast {
  TimeStamp time;
  Duration horizon{};

  /// The time until the capacity is reached, with an 80 % interval; empty: none foreseen, or no known capacity. When
  /// it comes within three horizons with a probability of at least a quarter, this is the median of those futures, and
  /// `risk` says how probable they are; else the median of all, where that is within a day. `time_to_oom_high` alone
  /// is empty when the slow end of the interval is never.
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

  Regime regime = Regime::Unknown;        ///< Which of its opinions counted most.
  Bytes step = 0;                         ///< Stepping: the mean step; else 0.
  std::optional<Seconds> period = {};     ///< Stepping: between steps. Recurring: from one visit to the next.
  std::optional<Seconds> since_oom = {};  ///< Returning, Recurring: since the use was at the capacity.

  friend bool operator==(const Forecast&, const Forecast&) = default;
};

/// What made the forecast, in one sentence without a full stop: "rises in steps of 1.20 GiB every 1.5 s".
[[nodiscard]] std::string explain(const Forecast& forecast);

}  // namespace dualgpuopt::memory
