#include "job/job_memory.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "core/format.h"

namespace dualgpuopt::memory::job {
namespace {

using IsMember = std::function<bool(const ProcessMemory&)>;

/// Adds one process to its GPU's share.
void add_process(const ProcessMemory& process, const ProcessList& list, GpuShare& share) {
  if (process.used) {
    share.used += *process.used;
  } else {
    share.reason = list.used_reason.empty() ? "the driver does not tell what the job holds" : list.used_reason;
  }
}

bool counts(const ProcessMemory& process, const IsMember& is_member, Provenance provenance) {
  if (provenance != Provenance::Driver) return true;
  return process.presence == ProcessPresence::Alive && is_member(process);
}

GpuShare share_of(const DeviceSnapshot& device, const IsMember& is_member, Sight sight) {
  GpuShare share{device.device->gpu, 0, device.status == DeviceStatus::Ok ? "" : device.reason};
  if (!share.is_known()) return share;
  if (!device.processes) return {share.gpu, 0, "its processes were not read yet"};
  share.reason = device.processes->reason;
  for (const auto& process : device.processes->entries) {
    if (counts(process, is_member, device.reading.provenance)) add_process(process, *device.processes, share);
    if (sight == Sight::OtherNamespace && process.presence == ProcessPresence::Unseen && share.is_known()) {
      share.reason = "the driver's process numbers are the host's, which cannot be looked into from this container";
    }
  }
  return share;
}

Limit limit_of(std::optional<int> gpu, Bytes used, Bytes budget) { return {gpu, used, budget}; }

}  // namespace

Bytes JobMemory::used() const {
  return std::accumulate(gpus.begin(), gpus.end(), Bytes{0},
                         [](Bytes sum, const GpuShare& share) { return sum + share.used; });
}

const GpuShare* JobMemory::find(int gpu) const {
  const auto found = std::find_if(gpus.begin(), gpus.end(), [&](const GpuShare& share) { return share.gpu == gpu; });
  return found == gpus.end() ? nullptr : &*found;
}

std::string JobMemory::reason(const Budget& budget) const {
  for (const auto& share : gpus) {
    const bool is_limited = budget.by_gpu.empty() || budget.by_gpu.contains(share.gpu);
    if (is_limited && !share.is_known()) return format_text("GPU {}: {}", share.gpu, share.reason);
  }
  return "";
}

double Limit::share() const {
  if (budget > 0) return static_cast<double>(used) / static_cast<double>(budget);
  return used == 0 ? 0 : std::numeric_limits<double>::infinity();
}

std::optional<Limit> tightest(const Budget& budget, const JobMemory& memory) {
  std::vector<Limit> limits;
  if (budget.total) limits.push_back(limit_of(std::nullopt, memory.used(), *budget.total));
  for (const auto& [gpu, bytes] : budget.by_gpu) {
    const auto* share = memory.find(gpu);
    limits.push_back(limit_of(gpu, share == nullptr ? 0 : share->used, bytes));
  }
  const auto largest = std::max_element(limits.begin(), limits.end(),
                                        [](const Limit& a, const Limit& b) { return a.share() < b.share(); });
  return largest == limits.end() ? std::nullopt : std::optional(*largest);
}

std::optional<JobMemory> add_up(const Snapshot& snapshot, const IsMember& is_member, Sight sight) {
  JobMemory memory{MonoTime::max(), snapshot.provenance, {}};
  for (const auto& device : snapshot.devices) {
    if (device.is_awaited) return std::nullopt;
    if (device.device->kind == DeviceKind::Partitioned) continue;
    memory.gpus.push_back(share_of(device, is_member, sight));
    if (memory.gpus.back().is_known()) memory.time = std::min(memory.time, device.processes->time.mono);
  }
  if (memory.time == MonoTime::max()) memory.time = snapshot.time.mono;  // of the news that nothing is known
  return memory;
}

}  // namespace dualgpuopt::memory::job
