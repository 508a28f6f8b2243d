// What was measured, as text to read and as a picture.
#pragma once

#include <string>
#include <vector>

#include "forecast/score.h"

namespace dualgpuopt::memory::forecast_benchmark {

/// One candidate's forecasts of all series.
struct Measured {
  CandidateKind kind;
  std::vector<Judged> judged;
};

struct Measurement {
  double horizon = 60;  ///< Seconds.
  std::vector<Series> series;
  std::vector<Measured> candidates;  ///< Ours first.
};

/// Runs every candidate over the series.
[[nodiscard]] Measurement measure(std::vector<Series> series, double horizon);

/// Markdown. The candidates side by side, with 95 % intervals of the average precision and of ours less theirs, from
/// `resamples` bootstrap resamples of whole repositories (B. Efron, "Bootstrap methods", 1979; by cluster, because the
/// series of one repository are alike); the same on every run.
[[nodiscard]] std::string comparison(const Measurement& measurement, int resamples);
/// Ours by recording, by shape, and with each repository left out.
[[nodiscard]] std::string breakdown(const Measurement& measurement);
/// What nobody could have caught.
[[nodiscard]] std::string ceiling(const Measurement& measurement);
/// An SVG: false alarms an hour against the median lead and the recall, for every threshold of our risk, with each
/// candidate's operating point.
[[nodiscard]] std::string picture(const Measurement& measurement);

}  // namespace dualgpuopt::memory::forecast_benchmark
