// What really happened: when a series reached a capacity, and which samples a forecast is judged on.
#pragma once

#include <cstdint>
#include <vector>

#include "forecast/series.h"

namespace dualgpuopt::memory::forecast_benchmark {

/// The virtual capacities at which a series is judged: min + q (max - min) for q in 0.5, 0.7, 0.8, 0.9, 0.95, and 1.02
/// and 1.10 of its maximum, which it never reaches; only those two for a series that moves by less than 2 %.
/// The real one alone where it is known.
[[nodiscard]] std::vector<double> virtual_capacities(const Series& series);

enum class Label : std::uint8_t { Negative, Positive, NotScored };

struct Labels {
  std::vector<Label> of_sample;
  std::vector<double> events;  ///< Times at which the capacity was reached, ascending.
};

/// The first samples are not scored: nobody can know anything yet.
inline constexpr std::size_t kWarmUpSamples = 10;
/// After an event nothing is scored until the use falls under this share of the capacity.
inline constexpr double kRearmedShare = 0.9;

/// An event is the first sample at or above the capacity; a sample is positive when an event follows within `horizon`
/// seconds.
[[nodiscard]] Labels label(const Series& series, double capacity, double horizon);

}  // namespace dualgpuopt::memory::forecast_benchmark
