#include "forecast/labels.h"

#include <algorithm>
#include <array>

namespace dualgpuopt::memory::forecast_benchmark {
namespace {

constexpr std::array kWithin{0.5, 0.7, 0.8, 0.9, 0.95};
constexpr std::array kAbove{1.02, 1.10};
constexpr double kStill = 0.02;

}  // namespace

std::vector<double> virtual_capacities(const Series& series) {
  if (series.capacity) return {*series.capacity};
  const auto [least, most] = std::minmax_element(series.samples.begin(), series.samples.end(),
                                                 [](const auto& a, const auto& b) { return a.used < b.used; });
  std::vector<double> capacities;
  const double range = most->used - least->used;
  if (range >= kStill * most->used) {
    for (const double share : kWithin) capacities.push_back(least->used + share * range);
  }
  for (const double share : kAbove) capacities.push_back(share * most->used);
  return capacities;
}

Labels label(const Series& series, double capacity, double horizon) {
  Labels labels;
  labels.of_sample.assign(series.samples.size(), Label::Negative);
  bool armed = true;
  for (std::size_t i = 0; i < series.samples.size(); ++i) {
    const auto& sample = series.samples[i];
    if (armed && sample.used >= capacity) {
      if (i >= kWarmUpSamples) labels.events.push_back(sample.time);
      armed = false;
    } else if (!armed && sample.used < kRearmedShare * capacity) {
      armed = true;
    }
    if (!armed || i < kWarmUpSamples) labels.of_sample[i] = Label::NotScored;
  }
  for (std::size_t i = 0; i < series.samples.size(); ++i) {
    if (labels.of_sample[i] == Label::NotScored) continue;
    const auto next = std::upper_bound(labels.events.begin(), labels.events.end(), series.samples[i].time);
    if (next != labels.events.end() && *next <= series.samples[i].time + horizon) {
      labels.of_sample[i] = Label::Positive;
    }
  }
  return labels;
}

}  // namespace dualgpuopt::memory::forecast_benchmark
