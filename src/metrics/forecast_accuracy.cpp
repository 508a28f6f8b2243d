#include "dualgpuopt/memory/metrics/forecast_accuracy.h"

#include <cmath>

#include "core/format.h"
#include "metrics/json_fields.h"

namespace dualgpuopt::memory {
namespace {

constexpr int kShareDecimals = 4;

std::optional<double> share(double part, std::uint64_t whole) {
  if (whole == 0) return std::nullopt;
  return part / static_cast<double>(whole);
}

}  // namespace

std::optional<double> ForecastAccuracy::brier_score() const { return share(squared_error, due); }

std::optional<double> ForecastAccuracy::calibration_error() const {
  double distance = 0;
  for (const auto& bin : calibration) distance += std::abs(bin.risk - static_cast<double>(bin.happened));
  return share(distance, due);
}

std::optional<double> ForecastAccuracy::recall() const { return share(static_cast<double>(foreseen), exhaustions); }

std::optional<double> ForecastAccuracy::precision() const { return share(static_cast<double>(alarms_true), alarms); }

std::optional<double> ForecastAccuracy::interval_coverage() const {
  return share(static_cast<double>(inside_interval), due);
}

std::string ForecastAccuracy::text() const {
  if (due == 0) return "no forecast has come due yet";
  const auto outcome =
      exhaustions == 0 ? "nothing ran out" : format_text("{} of {} exhaustions foreseen", foreseen, exhaustions);
  const auto warned = alarms == 0 ? "no alarms" : format_text("{} of {} alarms came true", alarms_true, alarms);
  return format_text("{} forecasts came due: {}, {}, risk off by {:.3f}", due, outcome, warned, *calibration_error());
}

std::string to_json(const ForecastAccuracy& accuracy, int gpu, const TimeStamp& time, Provenance provenance) {
  auto record = start_record("forecast_accuracy", time);
  record["gpu"] = gpu;
  record["provenance"] = to_string(provenance);
  record["due"] = accuracy.due;
  record["unknown"] = accuracy.unknown;
  record["brier_score"] = rounded_or_null(accuracy.brier_score(), kShareDecimals);
  record["calibration_error"] = rounded_or_null(accuracy.calibration_error(), kShareDecimals);
  record["interval_coverage"] = rounded_or_null(accuracy.interval_coverage(), kShareDecimals);
  record["exhaustions"] = accuracy.exhaustions;
  record["foreseen"] = accuracy.foreseen;
  record["alarms"] = accuracy.alarms;
  record["alarms_true"] = accuracy.alarms_true;
  return dump(record);
}

}  // namespace dualgpuopt::memory
