// What a sample costs the forecaster: an update and a forecast, on the kinds of series that take different ways
// through.
#include "dualgpuopt/memory/predictor/forecaster.h"

#include <benchmark/benchmark.h>

#include <cstdint>

#include "dualgpuopt/memory/predictor/forecast_ledger.h"
#include "dualgpuopt/memory/predictor/leak_detector.h"

namespace dualgpuopt::memory {
namespace {

using Series = Bytes (*)(std::uint64_t second);

/// 0 to 1, different for each number, the same in each run.
double scatter(std::uint64_t number) {
  number = (number ^ (number >> 31)) * 0x9E3779B97F4A7C15ULL;
  number = (number ^ (number >> 29)) * 0xBF58476D1CE4E5B9ULL;
  return static_cast<double>(number >> 11) * 0x1p-53;
}

Bytes plateau(std::uint64_t) { return 20_GiB; }
Bytes noise(std::uint64_t second) { return 20_GiB + static_cast<Bytes>(scatter(second) * 0x1p31); }
Bytes ramp(std::uint64_t second) { return 2_GiB + (second % 200) * 100_MiB; }
/// Jobs that come and go, up to beyond the capacity: every plateau is compared, and most lead to it.
Bytes jobs(std::uint64_t second) { return static_cast<Bytes>(scatter(second / 5) * 0x1p35); }

void update_and_forecast(benchmark::State& state, Series series) {
  const auto forecaster = make_forecaster();
  std::uint64_t second = 0;
  for (; second < 1000; ++second) forecaster->update(MonoTime(std::chrono::seconds(second)), series(second));
  for (auto _ : state) {
    const MonoTime time{std::chrono::seconds(++second)};
    forecaster->update(time, series(second));
    benchmark::DoNotOptimize(forecaster->forecast({time, {}}, std::chrono::seconds(60), 24_GiB));
  }
}

/// All that the predictor does with a sample: the forecast, its account, and the leak detector.
void whole_predictor(benchmark::State& state, Series series) {
  const auto forecaster = make_forecaster();
  ForecastLedger ledger;
  LeakDetector leak;
  std::uint64_t second = 0;
  for (auto _ : state) {
    const MonoTime time{std::chrono::seconds(++second)};
    const auto used = series(second);
    forecaster->update(time, used);
    ledger.add(time, used, 24_GiB, forecaster->forecast({time, {}}, std::chrono::seconds(60), 24_GiB));
    leak.add(time, used);
    benchmark::DoNotOptimize(leak.leak());
  }
  state.counters["bytes"] = static_cast<double>(sizeof(ForecastLedger) + sizeof(LeakDetector));
}

BENCHMARK_CAPTURE(whole_predictor, noise, noise);
BENCHMARK_CAPTURE(whole_predictor, ramp, ramp);
BENCHMARK_CAPTURE(whole_predictor, jobs, jobs);
BENCHMARK_CAPTURE(update_and_forecast, plateau, plateau);
BENCHMARK_CAPTURE(update_and_forecast, noise, noise);
BENCHMARK_CAPTURE(update_and_forecast, ramp, ramp);
BENCHMARK_CAPTURE(update_and_forecast, jobs, jobs);

}  // namespace
}  // namespace dualgpuopt::memory
