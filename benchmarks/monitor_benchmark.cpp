// What a step of the monitor costs: history, forecaster, alerts and snapshot, with a source that costs nothing.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <memory>

#include "dualgpuopt/memory/monitor/memory_monitor.h"

namespace dualgpuopt::memory {
namespace {

constexpr int kDevices = 8;

/// Eight devices whose use wanders between 25 % and 65 %, computed in a nanosecond or two.
class FreeSource final : public MemorySource {
 public:
  explicit FreeSource(const Clock& clock) : clock_(clock) {}
  std::string_view name() const override { return "free"; }
  Provenance provenance() const override { return Provenance::Replayed; }
  Result<std::vector<Device>> enumerate() override {
    std::vector<Device> devices;
    for (int gpu = 0; gpu < kDevices; ++gpu) {
      devices.push_back({gpu, "free-" + std::to_string(gpu), "Free GPU", {}, {}, {}, Vendor::Unknown, DeviceKind::Gpu});
    }
    return devices;
  }
  Reading read(int gpu, ReadDetail /*detail*/) override {
    state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
    const auto used = 8_GiB + (state_ >> 40) * 512;
    return {gpu, clock_.stamp(), Provenance::Replayed, MemoryUse::from_used_and_total(used, 24_GiB), {}, nullptr};
  }

 private:
  const Clock& clock_;
  std::uint64_t state_ = 1;
};

struct Rig {
  std::shared_ptr<VirtualClock> clock = std::make_shared<VirtualClock>();
  std::unique_ptr<MemoryMonitor> monitor = *MemoryMonitor::create(std::make_unique<FreeSource>(*clock), clock);

  void step() {
    clock->advance(std::chrono::seconds(1));
    benchmark::DoNotOptimize(monitor->step());
  }
};

/// Bytes the allocator has handed out.
double allocated_bytes() { return static_cast<double>(mallinfo2().uordblks); }

void step_of_eight_devices(benchmark::State& state) {
  Rig rig;
  for (std::int64_t before = 0; before < state.range(0); ++before) rig.step();
  const double bytes_before = allocated_bytes();
  for (auto _ : state) rig.step();
  using benchmark::Counter;
  state.counters["seconds_per_device"] = Counter(kDevices, Counter::kIsIterationInvariantRate | Counter::kInvert);
  state.counters["bytes_grown"] = allocated_bytes() - bytes_before;
}
BENCHMARK(step_of_eight_devices)->ArgName("steps_before")->Arg(1'000)->Arg(1'000'000);

}  // namespace
}  // namespace dualgpuopt::memory
