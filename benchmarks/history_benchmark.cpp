// What it costs to remember: one sample into all three tiers, and the memory that a device's history takes.
#include <benchmark/benchmark.h>

#include "dualgpuopt/memory/metrics/history.h"

namespace dualgpuopt::memory {
namespace {

/// `range(0)` is the time between samples in milliseconds: at 1000 each sample opens a bucket of one second, at 100
/// most join one. The history starts full, as it is after 90 days.
void add_to_history(benchmark::State& state) {
  History history;
  MonoTime time;
  for (std::size_t hour = 0; hour < History::capacity(HistoryTier::Hour); ++hour) {
    history.add(time += std::chrono::hours(1), 1_GiB);
  }
  const Duration interval = std::chrono::milliseconds(state.range(0));
  Bytes used = 0;
  for (auto _ : state) {
    history.add(time += interval, used += 1_MiB);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["memory_footprint"] = static_cast<double>(history.memory_footprint());
}
BENCHMARK(add_to_history)->Arg(100)->Arg(1000)->ArgName("interval_ms");

void summarize_one_hour(benchmark::State& state) {
  History history;
  MonoTime time;
  for (int second = 0; second < 7200; ++second) history.add(time += std::chrono::seconds(1), 1_GiB);
  for (auto _ : state) benchmark::DoNotOptimize(summarize(history, std::chrono::hours(1), time));
}
BENCHMARK(summarize_one_hour);

}  // namespace
}  // namespace dualgpuopt::memory
