// Says when a device will run out, from its past alone.
#pragma once

#include <memory>
#include <optional>

#include "dualgpuopt/memory/metrics/forecast.h"

namespace dualgpuopt::memory {

/// Learns the series of one device. update() and forecast() take constant time and allocate nothing; the state never
/// grows. Deterministic: equal series give equal forecasts, whenever they begin. Not thread-safe: one owner.
class Forecaster {
 public:
  virtual ~Forecaster() = default;

  /// A new sample. A time that is not after the last one replaces nothing and is ignored.
  virtual void update(MonoTime time, Bytes used) = 0;

  /// What the samples so far say of the `horizon` after the last one. `capacity` is the amount at which the device is
  /// out of memory; it may lie under the present use: then time_to_oom is 0 and risk 1. A time to OOM of more than 24 h
  /// counts as none foreseen. `now` is only copied. Before the first sample nothing is foreseen: no time to OOM, no
  /// risk, an expected use of 0.
  [[nodiscard]] virtual Forecast forecast(const TimeStamp& now, Duration horizon,
                                          std::optional<Bytes> capacity) const = 0;

  /// Forgets the series: the device was reset or replaced.
  virtual void reset() = 0;
};

/// The forecaster that the monitor uses by default; docs/forecasting.md says how it works and how it scored.
[[nodiscard]] std::unique_ptr<Forecaster> make_forecaster();

}  // namespace dualgpuopt::memory
