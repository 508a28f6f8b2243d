// What the alerts cost the sampler: a reading of a quiet device, and an alert that is handed over.
#include <benchmark/benchmark.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "dualgpuopt/memory/alerts/alert_engine.h"
#include "dualgpuopt/memory/alerts/dispatcher.h"

namespace {

std::atomic<std::uint64_t> allocations = 0;

}  // namespace

// Counts what the measured code allocates. Not inlined: GCC takes an inlined malloc and free for a mismatched pair.
[[gnu::noinline]] void* operator new(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;

/// Free-byte thresholds as well, so that both halves of every level are looked at.
AlertThresholds full_thresholds() {
  AlertThresholds thresholds;
  thresholds.warning.free = 10_GiB;
  thresholds.critical.free = 5_GiB;
  thresholds.emergency.free = 2_GiB;
  return thresholds;
}

Reading reading_at(Bytes used) {
  Reading reading;
  reading.memory = MemoryUse::from_used_and_total(used, 80_GiB);
  return reading;
}

/// One reading after another of a device whose level does not change.
void update_engine(benchmark::State& state, Bytes used) {
  auto thresholds = full_thresholds();
  thresholds.repeat_interval = 0s;
  AlertEngine engine(thresholds);
  auto reading = reading_at(used);
  const Forecast forecast;
  (void)engine.update(reading, &forecast);
  const auto before = allocations.load();
  for (auto _ : state) {
    reading.time.mono += 1s;
    benchmark::DoNotOptimize(engine.update(reading, &forecast));
  }
  const auto made = static_cast<double>(allocations.load() - before);
  state.counters["allocations_per_reading"] = made / static_cast<double>(state.iterations());
}

void quiet_device(benchmark::State& state) { update_engine(state, 40_GiB); }
BENCHMARK(quiet_device)->Name("AlertEngine::update/quiet device");

void lasting_emergency(benchmark::State& state) { update_engine(state, 79_GiB); }
BENCHMARK(lasting_emergency)->Name("AlertEngine::update/lasting emergency");

void raise_and_clear(benchmark::State& state) {
  AlertEngine engine(full_thresholds());
  Bytes used = 40_GiB;
  for (auto _ : state) {
    used = used == 40_GiB ? 79_GiB : 40_GiB;
    benchmark::DoNotOptimize(engine.update(reading_at(used), nullptr));
  }
}
BENCHMARK(raise_and_clear)->Name("AlertEngine::update/an alert at every reading");

void post_alert(benchmark::State& state) {
  AlertDispatcher dispatcher;
  const auto listening = dispatcher.subscribe(Level::Warning, LevelFilter::AtOrAbove,
                                              [](const MemoryAlert& alert) { benchmark::DoNotOptimize(alert.gpu); });
  AlertEngine engine(full_thresholds());
  auto alert = *engine.update(reading_at(79_GiB), nullptr);
  alert.event = AlertEvent::Repeated;
  for (auto _ : state) dispatcher.post(alert);
}
BENCHMARK(post_alert)->Name("AlertDispatcher::post");

}  // namespace
}  // namespace dualgpuopt::memory
