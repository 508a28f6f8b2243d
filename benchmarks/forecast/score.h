// How good forecasts were: precision of the risk, recall, lead, false alarms, calibration.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "forecast/candidate.h"
#include "forecast/labels.h"
#include "forecast/series.h"

namespace dualgpuopt::memory::forecast_benchmark {

/// Shorter warnings than this help nobody.
inline constexpr double kLeastLead = 5;

/// What a candidate said of one series and one capacity, sample by sample; only scored samples are kept.
struct Judged {
  std::size_t series = 0;  ///< Index into the measured series.
  double capacity = 0;
  double interval = 0;  ///< Seconds that a sample stands for.
  std::vector<double> times;
  std::vector<Opinion> opinions;
  std::vector<bool> positive;
  std::vector<double> events;
};

/// Runs a candidate over every series, at every virtual capacity of each.
[[nodiscard]] std::vector<Judged> judge(const CandidateKind& kind, const std::vector<Series>& all, double horizon);

struct Score {
  std::optional<double> average_precision;  ///< Empty where nothing was positive.
  std::size_t events = 0;
  std::size_t caught = 0;             ///< Events that had an alarm at least kLeastLead before.
  std::optional<double> median_lead;  ///< Seconds, of the caught.
  std::size_t false_alarms = 0;       ///< One for each started horizon of alarm without an event within two.
  double hours = 0;                   ///< Scored.
  double negative_hours = 0;
  double negative_alarm_hours = 0;
  double calibration_error = 0;  ///< Expected calibration error of the risk over ten equal bins.

  [[nodiscard]] double recall() const;
  [[nodiscard]] double false_per_hour() const;
  [[nodiscard]] double alarm_share() const;
};

/// When a candidate's opinion is an alarm: time_to_oom within the horizon, or the risk at least as high as this.
struct AlarmRule {
  std::optional<double> least_risk;
  [[nodiscard]] bool holds(const Opinion& opinion, double horizon) const {
    return least_risk ? opinion.risk >= *least_risk : opinion.time_to_oom <= horizon;
  }
};

/// The score over some of the judged, each by its number in `copies` (0: left out): a resample, a part, or all.
[[nodiscard]] Score score(const std::vector<Judged>& judged, const std::vector<int>& copies_of_series, double horizon,
                          const AlarmRule& rule = {});

/// Ranked pairs of a candidate, sorted once, so that the average precision of many resamples is one pass each.
class Ranking {
 public:
  explicit Ranking(const std::vector<Judged>& judged);
  [[nodiscard]] std::optional<double> average_precision(const std::vector<int>& copies_of_series) const;

 private:
  struct Pair {
    double risk = 0;
    double weight = 0;
    bool positive = false;
    std::size_t series = 0;
  };
  std::vector<Pair> pairs_;
};

/// The most that anybody could catch: an event counts if a scored sample lies between kLeastLead and the horizon
/// before it. `surprises` are those of them that nothing announced: within the horizon before, the use did not move by
/// 2 % of the capacity, and at no time before had it been as high.
struct Ceiling {
  std::size_t events = 0;
  std::size_t catchable = 0;
  std::size_t surprises = 0;
};
[[nodiscard]] Ceiling oracle_ceiling(const std::vector<Series>& all, const std::vector<Judged>& judged, double horizon);

}  // namespace dualgpuopt::memory::forecast_benchmark
