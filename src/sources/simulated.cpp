#include "dualgpuopt/memory/sources/simulated.h"

#include <algorithm>
#include <memory>

#include "core/format.h"
#include "sources/motion.h"

namespace dualgpuopt::memory {
namespace {

/// A moment of the story: how far it has come, and how often it has started again.
struct StoryTime {
  Duration now{};
  std::uint64_t lap = 0;
};

StoryTime story_time(const Scenario& scenario, MonoTime time) {
  const auto since = std::max(time.time_since_epoch(), Duration::zero());
  const auto every = scenario.repeat_every.value_or(Duration::zero());
  if (every <= Duration::zero()) return {since, 0};
  return {since % every, static_cast<std::uint64_t>(since / every)};
}

bool runs(const SimulatedProcess& process, Duration now) {
  return now >= process.start && (!process.stop || now < *process.stop);
}

/// What the process asks for, at most `available`. `key.motion` is counted up here.
Bytes memory_held(const SimulatedProcess& process, Duration now, NoiseKey key, Bytes available) {
  WideBytes wanted = 0;
  for (const auto& motion : process.motions) {
    wanted += motion_amount(motion, now - process.start, key);
    ++key.motion;
  }
  return static_cast<Bytes>(std::clamp<WideBytes>(wanted, 0, available));
}

ProcessMemory describe(const SimulatedProcess& process, Bytes used) {
  ProcessMemory entry;
  entry.pid = process.pid;
  entry.used = used;
  entry.name = process.name;
  entry.presence = ProcessPresence::Alive;
  return entry;
}

/// The processes that run, in the order written, each cut to what those before it leave.
std::vector<ProcessMemory> processes_at(const SimulatedDevice& device, StoryTime story, NoiseKey key, Bytes capacity) {
  std::vector<ProcessMemory> entries;
  for (const auto& process : device.processes) {
    if (runs(process, story.now)) {
      const auto held = memory_held(process, story.now, key, capacity);
      capacity -= held;
      entries.push_back(describe(process, held));
    }
    ++key.process;
  }
  return entries;
}

MemoryUse memory_of(const SimulatedDevice& device, Bytes reserved, const std::vector<ProcessMemory>& entries) {
  MemoryUse memory;
  for (const auto& entry : entries) memory.used += entry.used.value_or(0);
  memory.total = device.total;
  memory.reserved = reserved;
  memory.free = device.total - reserved - memory.used;
  memory.used_meaning = UsedMeaning::WithoutReserved;
  return memory;
}

}  // namespace

Result<std::vector<Device>> SimulatedSource::enumerate() {
  std::vector<Device> devices;
  for (const auto& simulated : scenario_.devices) {
    Device device;
    device.gpu = static_cast<int>(devices.size());
    device.key = format_text("sim-{}", device.gpu);
    device.name = simulated.name;
    devices.push_back(std::move(device));
  }
  return devices;
}

Reading SimulatedSource::read(int gpu, ReadDetail detail) {
  const auto time = clock_.stamp();
  if (gpu < 0 || static_cast<std::size_t>(gpu) >= scenario_.devices.size()) {
    return Reading::unavailable(gpu, time, Provenance::Simulated,
                                format_text("the scenario has no GPU {}; its GPUs are numbered from 0 and there are {}",
                                            gpu, scenario_.devices.size()));
  }
  const auto& device = scenario_.devices[static_cast<std::size_t>(gpu)];
  const auto reserved = std::min(device.reserved, device.total);
  const auto story = story_time(scenario_, time.mono);
  const NoiseKey key{scenario_.seed, story.lap, static_cast<std::uint64_t>(gpu), 0, 0};
  auto entries = processes_at(device, story, key, device.total - reserved);

  Reading reading;
  reading.gpu = gpu;
  reading.time = time;
  reading.provenance = Provenance::Simulated;
  reading.memory = memory_of(device, reserved, entries);
  if (detail == ReadDetail::MemoryAndProcesses) {
    reading.processes = std::make_shared<const ProcessList>(ProcessList{time, std::move(entries), ""});
  }
  return reading;
}

}  // namespace dualgpuopt::memory
