// What History must agree with: it keeps every sample and works everything out anew.
#pragma once

#include <algorithm>
#include <map>
#include <vector>

#include "dualgpuopt/memory/metrics/history.h"

namespace dualgpuopt::memory {

class NaiveHistory {
 public:
  /// A time before the newest one is taken for the newest one.
  void add(MonoTime time, Bytes used) {
    newest_ = samples_.empty() ? time : std::max(newest_, time);
    samples_.push_back({newest_, used});
  }

  /// The newest buckets of the tier, as many as it keeps, oldest first; the means are worked out in long double.
  [[nodiscard]] std::vector<HistoryPoint> points(HistoryTier tier) const {
    std::map<MonoTime, std::vector<Bytes>> buckets;
    for (const auto& sample : samples_) buckets[start_of(sample.time, History::width(tier))].push_back(sample.used);
    while (buckets.size() > History::capacity(tier)) buckets.erase(buckets.begin());
    std::vector<HistoryPoint> points;
    for (const auto& [start, values] : buckets) points.push_back(summed_up(start, values));
    return points;
  }

 private:
  struct Sample {
    MonoTime time;
    Bytes used;
  };

  static MonoTime start_of(MonoTime time, Duration width) {
    const auto count = time.time_since_epoch().count();
    auto buckets = count / width.count();
    if (buckets * width.count() > count) --buckets;
    return MonoTime(buckets * width);
  }

  static HistoryPoint summed_up(MonoTime start, const std::vector<Bytes>& values) {
    long double sum = 0;
    for (const Bytes value : values) sum += static_cast<long double>(value);
    return {.start = start,
            .min = *std::min_element(values.begin(), values.end()),
            .max = *std::max_element(values.begin(), values.end()),
            .last = values.back(),
            .mean = static_cast<double>(sum / static_cast<long double>(values.size())),
            .samples = static_cast<std::uint32_t>(values.size())};
  }

  std::vector<Sample> samples_;
  MonoTime newest_;
};

}  // namespace dualgpuopt::memory
