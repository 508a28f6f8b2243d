// How good a device's forecasts have been so far, by what happened.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "dualgpuopt/memory/core/clock.h"
#include "dualgpuopt/memory/metrics/reading.h"

namespace dualgpuopt::memory {

/// The forecasts whose risk lay in one tenth of 0 to 1.
struct CalibrationBin {
  std::uint64_t forecasts = 0;
  std::uint64_t happened = 0;  ///< Of these, those after which the capacity was reached within the horizon.
  double risk = 0;             ///< The sum of their risks.

  friend bool operator==(const CalibrationBin&, const CalibrationBin&) = default;
};

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
  std::array<CalibrationBin, 10> calibration{};  ///< The due, by their risk.

  /// Mean of (risk - happened)^2, 0 is best (G. Brier, "Verification of forecasts expressed in terms of probability",
  /// 1950); empty before the first came due.
  [[nodiscard]] std::optional<double> brier_score() const;
  /// Mean distance of a risk from how often it happened at such a risk, in tenths, 0 is best (M. P. Naeini et al.,
  /// "Obtaining well calibrated probabilities using Bayesian binning", 2015); empty before the first came due.
  [[nodiscard]] std::optional<double> calibration_error() const;
  /// Share of the exhaustions that were foreseen; empty where there were none.
  [[nodiscard]] std::optional<double> recall() const;
  /// Share of the alarms that came true; empty where there were none.
  [[nodiscard]] std::optional<double> precision() const;
  /// Share of the uses that lay in the 80 % interval; empty before the first came due.
  [[nodiscard]] std::optional<double> interval_coverage() const;

  /// "240 forecasts came due: 3 of 4 exhaustions foreseen, 3 of 5 alarms came true, risk off by 0.02".
  [[nodiscard]] std::string text() const;

  friend bool operator==(const ForecastAccuracy&, const ForecastAccuracy&) = default;
};

/// One JSON line; see docs/json.md.
[[nodiscard]] std::string to_json(const ForecastAccuracy& accuracy, int gpu, const TimeStamp& time,
                                  Provenance provenance);

}  // namespace dualgpuopt::memory
