// Series of used bytes for the predictor's tests.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "dualgpuopt/memory/predictor/forecaster.h"

namespace dualgpuopt::memory {

using Series = std::vector<std::pair<MonoTime, Bytes>>;

/// `count` samples, `interval` apart, of `use(i)`.
template <typename Use>
Series sampled(std::size_t count, Duration interval, Use use) {
  Series series;
  for (std::size_t i = 0; i < count; ++i) {
    series.emplace_back(MonoTime(interval * static_cast<std::int64_t>(i)), static_cast<Bytes>(use(i)));
  }
  return series;
}

/// A forecaster that has seen the series.
inline std::unique_ptr<Forecaster> taught(const Series& series) {
  auto forecaster = make_forecaster();
  for (const auto& [time, used] : series) forecaster->update(time, used);
  return forecaster;
}

/// Numbers from 0 to 1 that look random and are the same in every run.
class Scatter {
 public:
  explicit Scatter(std::uint64_t seed = 1) : state_(seed) {}
  double operator()() {
    state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<double>(state_ >> 11) * 0x1p-53;
  }

 private:
  std::uint64_t state_;
};

}  // namespace dualgpuopt::memory
