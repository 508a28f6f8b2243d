// nvml_soak HOURS SEED: so much simulated time of a monitor over the stand-in driver, whose devices fail at random.
// After every step the invariants are looked at; the first that does not hold ends the run with 1.
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <thread>

#include "core/format.h"
#include "dualgpuopt/memory/monitor/memory_monitor.h"
#include "dualgpuopt/memory/sources/nvml.h"
#include "sources/fake_nvml.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;

constexpr unsigned kGpus = 8;
constexpr unsigned kPartitioned = 7;  // the GPU with MIG instances, which come after the GPUs
constexpr unsigned kInstances = 2;
constexpr unsigned kInstanceIdentities = 4;
constexpr unsigned kPids = 40;  // few, so that they are used again
constexpr Duration kStep = 500ms;
constexpr int kStepsBetweenFaults = 10;

[[noreturn]] void violated(const Snapshot& snapshot, int gpu, const char* what) {
  print_text(stderr, "t={:.1f} s, GPU {}: {}\n", seconds_since_origin(snapshot.time.mono), gpu, what);
  std::exit(1);
}

void check_numbers(const Snapshot& snapshot, const DeviceSnapshot& device) {
  const auto gpu = device.device->gpu;
  if (device.status != DeviceStatus::Unavailable) {
    if (!device.reading.ok()) violated(snapshot, gpu, "no numbers and not unavailable");
    const auto& memory = *device.reading.memory;
    if (memory.used_meaning == UsedMeaning::WithoutReserved && memory.reserved &&
        memory.used + *memory.free + *memory.reserved != *memory.total) {
      violated(snapshot, gpu, "used + free + reserved is not the total");
    }
    return;
  }
  if (device.reading.ok() || device.forecast) violated(snapshot, gpu, "unavailable, with numbers");
  if (device.reason.empty()) violated(snapshot, gpu, "unavailable, without a reason");
}

/// What must hold after every step.
class Invariants {
 public:
  void check(const StepReport& report) {
    const auto& snapshot = *report.snapshot;
    if (snapshot.sequence != ++sequence_) violated(snapshot, -1, "a snapshot is missing");
    for (const auto& device : snapshot.devices) {
      check_numbers(snapshot, device);
      const auto [known, is_new] = keys_.try_emplace(device.device->gpu, device.device->key);
      if (!is_new && known->second != device.device->key) violated(snapshot, known->first, "it became another device");
      unavailable_ += device.status == DeviceStatus::Unavailable ? 1 : 0;
    }
    readings_ += report.fresh.size();
    for (const auto& alert : report.alerts) {
      ++alerts_;
      if (alert.time.mono != snapshot.time.mono) violated(snapshot, alert.gpu, "an alert on old data");
    }
  }
  [[nodiscard]] std::string figures() const {
    return format_text("{} good readings, {} unavailable, {} alerts", readings_, unavailable_, alerts_);
  }

 private:
  std::uint64_t sequence_ = 0;
  std::uint64_t readings_ = 0;
  std::uint64_t unavailable_ = 0;
  std::uint64_t alerts_ = 0;
  std::map<int, std::string> keys_;
};

/// Moves the devices' memory, and lets them fail and recover, all by one seed.
class Weather {
 public:
  Weather(const FakeNvml& fake, std::uint64_t seed) : fake_(fake), random_(seed) {}

  void move_memory() {
    fake_.change([this](NvmlFakeState& state) {
      for (unsigned index = 0; index < kGpus + kInstances; ++index) {
        auto& device = state.devices[index];
        const Bytes capacity = device.total - device.reserved;
        const Bytes used = std::min<Bytes>(capacity, device.used + draw(256) * 1_MiB);
        device.used = draw(400) == 0 ? 1_GiB : used;
        device.free = capacity - device.used;
        device.compute.processes[0] = {static_cast<unsigned>(1 + draw(kPids)), device.used / 2, ~0U, ~0U};
        device.compute.count = 1;
      }
    });
  }

  void change() {
    fake_.change([this](NvmlFakeState& state) {
      auto& device = state.devices[draw(kGpus + kInstances)];
      switch (draw(14)) {
        case 0: device.forced[draw(kNvmlFakeCalls)] = kCodes[draw(kCodes.size())]; break;
        case 1: device.forced[kNvmlFakeHandleByIndex] = draw(2) == 0 ? 15 : 999; break;
        case 2: device.free = ~0ULL; break;  // nonsense until the next move
        case 3: device.compute.processes[0].pid = 0; break;
        case 4: device.hang = 1; break;
        case 5: state.forced[draw(2) == 0 ? kNvmlFakeCount : kNvmlFakeInit] = kCodes[draw(kCodes.size())]; break;
        case 6: make_or_destroy_instance(state); break;
        case 7: state.devices[draw(kGpus)].gone ^= 1; break;  // those after it move up, or down again
        default: recover(state);
      }
      ++faults_;
    });
  }
  [[nodiscard]] int faults() const { return faults_; }

 private:
  static constexpr std::array kCodes{1, 2, 3, 4, 7, 9, 13, 15, 17, 18, 999};

  std::size_t draw(std::size_t below) { return static_cast<std::size_t>(random_() % below); }
  /// A new instance has the handle of one that was destroyed, and often another identity.
  void make_or_destroy_instance(NvmlFakeState& state) {
    const auto which = draw(kInstances);
    auto& instance = state.devices[kGpus + which];
    auto& slot = state.devices[kPartitioned].mig_slots[2 * which];
    instance.stale = slot == 0 ? 0 : 1;
    slot = slot == 0 ? static_cast<unsigned>(kGpus + which) : 0;
    const auto uuid = format_text("MIG-{}-{}", which, draw(kInstanceIdentities));
    std::strcpy(instance.uuid, uuid.c_str());
  }
  static void recover(NvmlFakeState& state) {
    for (auto& code : state.forced) code = 0;
    for (auto& device : state.devices) {
      device.gone = 0;
      for (auto& code : device.forced) code = 0;
    }
  }

  const FakeNvml& fake_;
  std::mt19937_64 random_;
  int faults_ = 0;
};

/// Ends every hang after some time, so that a monitor that reads on one thread goes on.
class Rescue {
 public:
  explicit Rescue(const FakeNvml& fake)
      : thread_([&fake](const std::stop_token& stop) {
          while (!stop.stop_requested()) {
            std::this_thread::sleep_for(2ms);
            fake.change([](NvmlFakeState& state) {
              if (state.hanging == 0) return;
              for (auto& device : state.devices) device.hang = 0;
            });
          }
        }) {}

 private:
  std::jthread thread_;
};

long resident_kibibytes() {
  std::ifstream statm("/proc/self/statm");
  long pages = 0;
  long resident = 0;
  statm >> pages >> resident;
  return resident * ::sysconf(_SC_PAGESIZE) / 1024;
}

void partition_last_gpu(const FakeNvml& fake) {
  fake.change([](NvmlFakeState& state) {
    auto& parent = state.devices[kPartitioned];
    parent.mig_capable = parent.mig_enabled = 1;
    for (unsigned i = 0; i < kInstances; ++i) {
      state.devices[kGpus + i] = fake_gpu(format_text("MIG-{}-0", i), 10_GiB, 128_MiB, 1_GiB);
      parent.mig_slots[2 * i] = kGpus + i;
    }
  });
}

int run(double hours, std::uint64_t seed) {
  const auto started = std::chrono::steady_clock::now();
  auto gpu = [](unsigned i) {
    auto made = fake_gpu("GPU-" + std::to_string(i), 24_GiB, 512_MiB, 1_GiB);
    made.pci_bus = i + 1;
    return made;
  };
  const FakeNvml fake({gpu(0), gpu(1), gpu(2), gpu(3), gpu(4), gpu(5), gpu(6), gpu(7)}, NvmlGeneration::R550);
  partition_last_gpu(fake);
  auto clock = std::make_shared<VirtualClock>();
  auto source = open_nvml(*clock, {fake.path(), "/nowhere", {WakePolicy::LeaveAsleep, 20ms}});
  auto monitor = MemoryMonitor::create(std::move(source.value()), clock).value();
  Weather weather(fake, seed);
  Invariants invariants;
  const Rescue rescue(fake);
  const auto steps = static_cast<std::int64_t>(hours * 3600 / 0.5);
  long settled = 0;
  for (std::int64_t step = 0; step < steps; ++step) {
    weather.move_memory();
    if (step % kStepsBetweenFaults == 0) weather.change();
    invariants.check(monitor->step());
    clock->advance(kStep);
    if (step == steps / 10) settled = resident_kibibytes();  // the histories are full after an hour of a long run
  }
  print_text(stdout,
             "{:.1f} h: {}; {} faults; {} KiB resident, {:+} KiB since a tenth of the time; {:.0f} s of real time\n",
             hours, invariants.figures(), weather.faults(), resident_kibibytes(), resident_kibibytes() - settled,
             std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count());
  return 0;
}

}  // namespace
}  // namespace dualgpuopt::memory

int main(int argc, char** argv) {
  const double hours = argc > 1 ? std::atof(argv[1]) : 24;
  const auto seed = argc > 2 ? static_cast<std::uint64_t>(std::atoll(argv[2])) : 1;
  return dualgpuopt::memory::run(hours, seed);
}
