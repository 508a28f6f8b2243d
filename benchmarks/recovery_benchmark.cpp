// How soon recovery begins: from the reading that crosses the threshold to the first line of the first rung.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "dualgpuopt/memory/monitor/memory_monitor.h"

namespace dualgpuopt::memory {
namespace {

using std::chrono::steady_clock;

/// One device whose use is what it was last told, and which remembers when it first showed that.
class ToldSource final : public MemorySource {
 public:
  explicit ToldSource(std::shared_ptr<const Clock> clock) : clock_(std::move(clock)) {}
  std::string_view name() const override { return "told"; }
  Provenance provenance() const override { return Provenance::Driver; }
  Result<std::vector<Device>> enumerate() override {
    return std::vector<Device>{{0, "told-0", "Told GPU", {}, {}, {}, Vendor::Unknown, DeviceKind::Gpu}};
  }
  Reading read(int gpu, ReadDetail /*detail*/) override {
    const bool is_full = full_;
    if (is_full && shown() == steady_clock::time_point{}) shown_ = steady_clock::now();
    const auto used = is_full ? 23_GiB : 4_GiB;
    return {gpu, clock_->stamp(), Provenance::Driver, MemoryUse::from_used_and_total(used, 24_GiB), {}, nullptr};
  }

  void fill() {
    shown_ = steady_clock::time_point{};
    full_ = true;
  }
  void empty() { full_ = false; }
  [[nodiscard]] steady_clock::time_point shown() const { return shown_; }

 private:
  const std::shared_ptr<const Clock> clock_;
  std::atomic<bool> full_ = false;
  std::atomic<steady_clock::time_point> shown_{};
};

MonitorConfig brisk() {
  MonitorConfig config;
  config.polling = PollingConfig::fixed(std::chrono::milliseconds(10));
  config.ladder.cooldown = config.ladder.settle = Duration::zero();
  config.ladder.by_forecast = false;
  return config;
}

/// The rung empties the device at once, so that the next reading ends the climb and the level.
struct Rig {
  std::shared_ptr<SystemClock> clock = std::make_shared<SystemClock>();
  ToldSource* source = new ToldSource(clock);
  std::unique_ptr<MemoryMonitor> monitor =
      *MemoryMonitor::create(std::unique_ptr<MemorySource>(source), clock, brisk());
  std::atomic<double> delay_s = 0;

  Rig() {
    monitor->register_strategy(RecoveryStrategy::ClearCache, [this](const RecoveryRequest&) {
      const auto now = steady_clock::now();
      delay_s = std::chrono::duration<double>(now - source->shown()).count();
      source->empty();
      return StrategyAnswer{true, ""};
    });
    monitor->start();
  }

  /// One crossing, from a device at rest.
  double crossing() {
    delay_s = 0;
    source->fill();
    while (delay_s == 0) std::this_thread::sleep_for(std::chrono::microseconds(100));
    std::this_thread::sleep_for(std::chrono::milliseconds(25));
    return delay_s;
  }
};

void threshold_to_first_rung(benchmark::State& state) {
  Rig rig;
  std::vector<double> delays;
  for (auto _ : state) {
    delays.push_back(rig.crossing());
    state.SetIterationTime(delays.back());
  }
  std::sort(delays.begin(), delays.end());
  state.counters["median_s"] = delays[delays.size() / 2];
  state.counters["p99_s"] = delays[delays.size() * 99 / 100];
}
BENCHMARK(threshold_to_first_rung)->UseManualTime()->Iterations(500)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace dualgpuopt::memory
