// How good a device's forecasts have been so far, by what happened.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "dualgpuopt/memory/core/clock.h"
#include "dualgpuopt/memory/metrics/reading.h"

namespace dualgpuopt::memory {

/// Counts of forecasts that came due: the horizon had passed, and readings had come all the while.
struct ForecastAccuracy {
  std::uint64_t due = 0;              ///< Forecasts compared with what happened.
  std::uint64_t unknown = 0;          ///< Came due in a gap without readings, and are not counted.
  std::uint64_t exhaustions = 0;      ///< Times that the capacity was reached,
  std::uint64_t foreseen = 0;         ///< and of these, warned of at least 5 s and at most a horizon before.
  std::uint64_t alarms = 0;           ///< Of the due, those with a time to OOM within the horizon,
  std::uint64_t alarms_true = 0;      ///< after which the capacity was reached within two horizons.
  std::uint64_t inside_interval = 0;  ///< Of the due, those whose use at the horizon lay in the 80 % interval.
  double squared_error = 0;           ///< Sum of (risk - happened)^2 over the due.

  /// Mean of (risk - happened)^2, 0 is best (G. Brier, "Verification of forecasts expressed in terms of probability",
  /// 1950); empty before the first came due.
  [[nodiscard]] std::optional<double> brier_score() const;
  /// Share of the exhaustions that were foreseen; empty where there were none.
  [[nodiscard]] std::optional<double> recall() const;
  /// Share of the alarms that came true; empty where there were none.
  [[nodiscard]] std::optional<double> precision() const;
  /// Share of the uses that lay in the 80 % interval; empty before the first came due.
  [[nodiscard]] std::optional<double> interval_coverage() const;

  friend bool operator==(const ForecastAccuracy&, const ForecastAccuracy&) = default;
};

/// One JSON line; see docs/json.md.
[[nodiscard]] std::string to_json(const ForecastAccuracy& accuracy, int gpu, const TimeStamp& time,
                                  Provenance provenance);

}  // namespace dualgpuopt::memory
