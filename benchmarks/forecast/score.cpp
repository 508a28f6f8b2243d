#include "forecast/score.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace dualgpuopt::memory::forecast_benchmark {
namespace {

Judged judge_capacity(const Series& series, std::size_t number, double capacity, double horizon) {
  Judged judged;
  judged.series = number;
  judged.capacity = capacity;
  judged.interval = series.median_interval();
  judged.events = label(series, capacity, horizon).events;
  return judged;
}

std::vector<Judged> judge_series(const CandidateKind& kind, const Series& series, std::size_t number, double horizon) {
  std::vector<Judged> all;
  std::vector<Labels> labels;
  for (const double capacity : virtual_capacities(series)) {
    all.push_back(judge_capacity(series, number, capacity, horizon));
    labels.push_back(label(series, capacity, horizon));
  }
  const auto candidate = kind.make();
  for (std::size_t i = 0; i < series.samples.size(); ++i) {
    candidate->update(series.samples[i].time, series.samples[i].used);
    for (std::size_t c = 0; c < all.size(); ++c) {
      const auto truth = labels[c].of_sample[i];
      if (truth == Label::NotScored) continue;
      all[c].times.push_back(series.samples[i].time);
      all[c].positive.push_back(truth == Label::Positive);
      all[c].opinions.push_back(candidate->forecast(all[c].capacity, horizon));
    }
  }
  all.erase(std::remove_if(all.begin(), all.end(), [](const auto& judged) { return judged.times.empty(); }), all.end());
  return all;
}

/// Ten equal bins of risk: weight, weighted risk, weighted truth.
class Calibration {
 public:
  void add(double risk, bool positive, double weight) {
    auto& bin = bins_[static_cast<std::size_t>(std::clamp(risk * 10, 0.0, 9.0))];
    bin[0] += weight;
    bin[1] += weight * risk;
    bin[2] += positive ? weight : 0;
  }
  [[nodiscard]] double error() const {
    double total = 0;
    double sum = 0;
    for (const auto& bin : bins_) {
      total += bin[0];
      sum += std::abs(bin[1] - bin[2]);
    }
    return total > 0 ? sum / total : 0;
  }

 private:
  std::array<std::array<double, 3>, 10> bins_{};
};

struct Alarms {
  std::vector<double> times;
  std::size_t on_negative = 0;
};

Alarms alarms_of(const Judged& judged, double horizon, const AlarmRule& rule) {
  Alarms alarms;
  for (std::size_t i = 0; i < judged.times.size(); ++i) {
    if (!rule.holds(judged.opinions[i], horizon)) continue;
    alarms.times.push_back(judged.times[i]);
    if (!judged.positive[i]) ++alarms.on_negative;
  }
  return alarms;
}

/// The earliest alarm that was neither too late nor before the horizon.
std::optional<double> lead_of(double event, const std::vector<double>& alarms, double horizon) {
  const auto first = std::lower_bound(alarms.begin(), alarms.end(), event - horizon);
  if (first == alarms.end() || *first > event - kLeastLead) return std::nullopt;
  return event - *first;
}

std::size_t false_alarms_of(const Judged& judged, const std::vector<double>& alarms, double horizon) {
  std::size_t count = 0;
  double counted = -kNever;
  for (const double time : alarms) {
    const auto next = std::upper_bound(judged.events.begin(), judged.events.end(), time);
    if (next != judged.events.end() && *next <= time + 2 * horizon) continue;
    if (time - counted < horizon) continue;
    ++count;
    counted = time;
  }
  return count;
}

double ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }

}  // namespace

std::vector<Judged> judge(const CandidateKind& kind, const std::vector<Series>& all, double horizon) {
  std::vector<Judged> judged;
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (auto& one : judge_series(kind, all[i], i, horizon)) judged.push_back(std::move(one));
  }
  return judged;
}

double Score::recall() const { return ratio(static_cast<double>(caught), static_cast<double>(events)); }
double Score::false_per_hour() const { return ratio(static_cast<double>(false_alarms), hours); }
double Score::alarm_share() const { return ratio(negative_alarm_hours, negative_hours); }

Score score(const std::vector<Judged>& judged, const std::vector<int>& copies_of_series, double horizon,
            const AlarmRule& rule) {
  Score total;
  Calibration calibration;
  std::vector<double> leads;
  for (const auto& one : judged) {
    const auto copies = static_cast<std::size_t>(copies_of_series[one.series]);
    if (copies == 0) continue;
    const auto alarms = alarms_of(one, horizon, rule);
    const double weight = static_cast<double>(copies) / static_cast<double>(one.times.size());
    std::size_t negatives = 0;
    for (std::size_t i = 0; i < one.times.size(); ++i) {
      calibration.add(one.opinions[i].risk, one.positive[i], weight);
      if (!one.positive[i]) ++negatives;
    }
    total.events += copies * one.events.size();
    for (const double event : one.events) {
      if (const auto lead = lead_of(event, alarms.times, horizon)) {
        total.caught += copies;
        leads.insert(leads.end(), copies, *lead);
      }
    }
    total.false_alarms += copies * false_alarms_of(one, alarms.times, horizon);
    const double hours = static_cast<double>(copies) * one.interval / 3600;
    total.hours += hours * static_cast<double>(one.times.size());
    total.negative_hours += hours * static_cast<double>(negatives);
    total.negative_alarm_hours += hours * static_cast<double>(alarms.on_negative);
  }
  total.calibration_error = calibration.error();
  if (!leads.empty()) {
    std::sort(leads.begin(), leads.end());
    const auto middle = leads.size() / 2;
    total.median_lead = leads.size() % 2 == 1 ? leads[middle] : (leads[middle - 1] + leads[middle]) / 2;
  }
  total.average_precision = Ranking(judged).average_precision(copies_of_series);
  return total;
}

Ranking::Ranking(const std::vector<Judged>& judged) {
  for (const auto& one : judged) {
    const double weight = 1 / static_cast<double>(one.times.size());
    for (std::size_t i = 0; i < one.times.size(); ++i) {
      pairs_.push_back({one.opinions[i].risk, weight, one.positive[i], one.series});
    }
  }
  std::sort(pairs_.begin(), pairs_.end(), [](const auto& a, const auto& b) { return a.risk > b.risk; });
}

std::optional<double> Ranking::average_precision(const std::vector<int>& copies_of_series) const {
  const auto weight_of = [&](const Pair& pair) { return pair.weight * copies_of_series[pair.series]; };
  double positive = 0;
  for (const auto& pair : pairs_) positive += pair.positive ? weight_of(pair) : 0;
  if (positive <= 0) return std::nullopt;
  double hits = 0;
  double all = 0;
  double precision = 0;
  for (std::size_t i = 0; i < pairs_.size();) {
    double new_hits = 0;
    const double risk = pairs_[i].risk;
    for (; i < pairs_.size() && pairs_[i].risk == risk; ++i) {
      const double weight = weight_of(pairs_[i]);
      all += weight;
      if (pairs_[i].positive) new_hits += weight;
    }
    hits += new_hits;
    if (new_hits > 0) precision += new_hits / positive * (hits / all);
  }
  return precision;
}

Ceiling oracle_ceiling(const std::vector<Series>& all, const std::vector<Judged>& judged, double horizon) {
  constexpr double moved_share = 0.02;
  Ceiling ceiling;
  for (const auto& one : judged) {
    const auto& samples = all[one.series].samples;
    ceiling.events += one.events.size();
    for (const double event : one.events) {
      if (!lead_of(event, one.times, horizon)) continue;
      ++ceiling.catchable;
      double least = kNever;
      double most = 0;
      double most_ever = 0;
      for (const auto& sample : samples) {
        if (sample.time >= event) break;
        most_ever = std::max(most_ever, sample.used);
        if (sample.time < event - horizon) continue;
        least = std::min(least, sample.used);
        most = std::max(most, sample.used);
      }
      if (most_ever < one.capacity && most - least < moved_share * one.capacity) ++ceiling.surprises;
    }
  }
  return ceiling;
}

}  // namespace dualgpuopt::memory::forecast_benchmark
