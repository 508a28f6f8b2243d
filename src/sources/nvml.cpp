#include "dualgpuopt/memory/sources/nvml.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "core/format.h"
#include "dualgpuopt/memory/core/mutex.h"
#include "dualgpuopt/memory/processes/driver_pids.h"
#include "dualgpuopt/memory/processes/host_memory.h"
#include "sources/nvml_devices.h"
#include "sources/nvml_memory.h"
#include "sources/nvml_processes.h"
#include "sources/nvml_session.h"
#include "sources/nvml_unified.h"
#include "sources/pci_gpus.h"

namespace dualgpuopt::memory {
namespace {

using nvml::NvmlDevice;
using nvml::Session;

/// Of a device that is not read any more.
constexpr std::size_t kMostUntold = 64;

Result<MemoryUse> without_estimate(const Error& refusal, const Error& problem) {
  return fail(ErrorCode::Unavailable,
              format_text("{}; it cannot be estimated either: {}", refusal.describe(), problem.describe()));
}

/// A device may be read while a call about another one hangs, so what they share is taken under a lock, and no lock is
/// held during a call.
class NvmlSource final : public MemorySource {
 public:
  NvmlSource(std::shared_ptr<Session> session, const Clock& clock, NvmlOptions options)
      : clock_(clock),
        options_(std::move(options)),
        pids_(options_.root),
        lookups_(options_.settings.patience),
        session_(std::move(session)) {}

  [[nodiscard]] std::string_view name() const override { return "nvml"; }
  [[nodiscard]] Provenance provenance() const override { return Provenance::Driver; }
  [[nodiscard]] Result<std::vector<Device>> enumerate() override DUALGPUOPT_EXCLUDES(mutex_);
  [[nodiscard]] Reading read(int gpu, ReadDetail detail) override DUALGPUOPT_EXCLUDES(mutex_);
  [[nodiscard]] Result<void> release() override DUALGPUOPT_EXCLUDES(mutex_);

 private:
  /// A device that can be asked, with the session that its handle belongs to.
  struct Target {
    std::shared_ptr<Session> session;
    NvmlDevice device;
  };

  [[nodiscard]] Result<std::shared_ptr<Session>> usable_session();
  [[nodiscard]] std::shared_ptr<Session> session();
  [[nodiscard]] Result<std::shared_ptr<Session>> open_session();
  void close_session(const std::string& why);
  [[nodiscard]] Result<std::vector<Device>> enumerate_in(const std::shared_ptr<Session>& session);
  [[nodiscard]] Result<Target> find(int gpu);
  [[nodiscard]] Reading read_target(int gpu, Target& target, ReadDetail detail);
  [[nodiscard]] Result<MemoryUse> estimate(const ProcessList& processes) const;
  void remember(int gpu, const NvmlDevice& device);
  void collect_events(const Session& session);
  [[nodiscard]] std::vector<DeviceEvent> take_events(int gpu);

  const Clock& clock_;
  const NvmlOptions options_;
  const DriverPids pids_;
  nvml::Lookups lookups_;

  Mutex mutex_;
  std::shared_ptr<Session> session_ DUALGPUOPT_GUARDED_BY(mutex_);
  std::vector<NvmlDevice> devices_ DUALGPUOPT_GUARDED_BY(mutex_);
  std::vector<std::vector<DeviceEvent>> events_ DUALGPUOPT_GUARDED_BY(mutex_);  // that no reading has told yet
};

std::shared_ptr<Session> NvmlSource::session() {
  const MutexLock lock(mutex_);
  return session_;
}

/// No handle is good without the session it came from.
void NvmlSource::close_session(const std::string& why) {
  std::shared_ptr<Session> closed;  // goes after the lock: shutting down is a call
  const MutexLock lock(mutex_);
  closed = std::exchange(session_, nullptr);
  for (auto& device : devices_) {
    device.handle = nullptr;
    device.reason = why;
  }
}

Result<std::shared_ptr<Session>> NvmlSource::open_session() {
  auto opened = Session::open(options_.library);
  if (!opened) return opened;
  const MutexLock lock(mutex_);
  session_ = *opened;
  return opened;
}

Result<std::shared_ptr<Session>> NvmlSource::usable_session() {
  auto present = session();
  if (present && present->is_ours()) return present;
  return open_session();
}

Result<std::vector<Device>> NvmlSource::enumerate_in(const std::shared_ptr<Session>& session) {
  auto found = nvml::look_for_devices(session, options_.root, options_.settings.wake, lookups_);
  if (!found) return fail(std::move(found.error()));
  for (const auto& each : *found) {
    if (each.handle != nullptr) session->watch(each.handle);
  }
  std::vector<Device> devices;
  const MutexLock lock(mutex_);
  devices_ = nvml::join_devices(std::move(devices_), std::move(*found));
  events_.resize(devices_.size());
  devices.reserve(devices_.size());
  for (const auto& each : devices_) devices.push_back(each.device);
  return devices;
}

/// A driver that was unloaded and came back answers only to who opens it again.
Result<std::vector<Device>> NvmlSource::enumerate() {
  const auto fresh = session() == nullptr;
  auto opened = usable_session();
  if (!opened) return fail(std::move(opened.error()));
  auto devices = enumerate_in(*opened);
  if (devices || fresh) return devices;
  opened->reset();
  close_session(devices.error().describe());
  opened = open_session();
  if (!opened) return fail(std::move(opened.error()));
  devices = enumerate_in(*opened);
  if (!devices) close_session(devices.error().describe());
  return devices;
}

Result<void> NvmlSource::release() {
  {
    const MutexLock lock(mutex_);
    if (session_.use_count() > 1) {
      return fail(ErrorCode::Unavailable,
                  "a call has been hanging in the NVIDIA driver, which keeps it open: only the end of this process can "
                  "release it");
    }
  }
  close_session("the driver was released on request and is not open");
  return {};
}

Result<NvmlSource::Target> NvmlSource::find(int gpu) {
  const MutexLock lock(mutex_);
  if (gpu < 0 || static_cast<std::size_t>(gpu) >= devices_.size()) {
    return fail(ErrorCode::Unavailable, format_text("NVML listed no device {}", gpu));
  }
  const auto& device = devices_[static_cast<std::size_t>(gpu)];
  if (device.handle == nullptr) return fail(ErrorCode::Unavailable, device.reason);
  return Target{session_, device};
}

void NvmlSource::remember(int gpu, const NvmlDevice& device) {
  const MutexLock lock(mutex_);
  auto& known = devices_[static_cast<std::size_t>(gpu)];
  if (known.handle == device.handle) known.memory_call = device.memory_call;
}

void NvmlSource::collect_events(const Session& session) {
  const auto collected = session.collect(clock_.stamp());
  const MutexLock lock(mutex_);
  for (const auto& [handle, event] : collected) {
    const auto found = std::find_if(devices_.begin(), devices_.end(),
                                    [&, wanted = handle](const NvmlDevice& each) { return each.handle == wanted; });
    if (found == devices_.end()) continue;
    auto& untold = events_[static_cast<std::size_t>(found - devices_.begin())];
    if (untold.size() < kMostUntold) untold.push_back(event);
  }
}

std::vector<DeviceEvent> NvmlSource::take_events(int gpu) {
  const MutexLock lock(mutex_);
  if (gpu < 0 || static_cast<std::size_t>(gpu) >= events_.size()) return {};
  return std::exchange(events_[static_cast<std::size_t>(gpu)], {});
}

Result<MemoryUse> NvmlSource::estimate(const ProcessList& processes) const {
  const auto available = read_available_memory(options_.root);
  if (!available) return fail(available.error());
  return nvml::estimate_unified_memory(processes, *available);
}

/// Where the memory cannot be read the processes often can.
Reading NvmlSource::read_target(int gpu, Target& target, ReadDetail detail) {
  auto& [session, device] = target;
  const auto& library = session->library();
  auto memory = nvml::read_memory(library, device.handle, device.memory_call);
  const bool shares_host_memory = !memory && memory.error().code() == ErrorCode::Unsupported;
  Reading reading;
  if (detail == ReadDetail::MemoryAndProcesses || shares_host_memory) {
    const auto total = memory ? memory->total : std::nullopt;
    reading.processes =
        std::make_shared<const ProcessList>(nvml::read_processes(library, device.handle, pids_, clock_.stamp(), total));
  }
  if (shares_host_memory) {
    auto estimated = estimate(*reading.processes);
    memory = estimated ? estimated : without_estimate(memory.error(), estimated.error());
  }
  if (detail == ReadDetail::MemoryAndProcesses) collect_events(*session);
  remember(gpu, device);
  if (memory) {
    reading.memory = *memory;
  } else {
    reading.reason = memory.error().describe();
  }
  return reading;
}

/// Stamped before the driver is asked: however long it takes, no reading looks newer than it is.
Reading NvmlSource::read(int gpu, ReadDetail detail) {
  const auto time = clock_.stamp();
  const auto failed = [&](std::string reason) {
    auto reading = Reading::unavailable(gpu, time, provenance(), std::move(reason));
    if (detail == ReadDetail::MemoryAndProcesses) {
      reading.processes = std::make_shared<const ProcessList>(ProcessList{time, {}, reading.reason, ""});
    }
    reading.events = take_events(gpu);
    return reading;
  };
  if (const auto present = session(); present && !present->is_ours()) {
    if (const auto again = enumerate(); !again) return failed(again.error().describe());
  }
  auto target = find(gpu);
  if (!target) return failed(target.error().describe());
  const auto& device = target->device;
  if (device.may_suspend && power_state(options_.root, *device.device.pci_address) == PowerState::Suspended) {
    return failed(nvml::kAsleep);
  }
  if (!nvml::is_same_device(target->session->library(), device)) {
    return failed(format_text("the MIG instance {} is there no more", device.device.key));
  }
  auto reading = read_target(gpu, *target, detail);
  reading.gpu = gpu;
  reading.time = time;
  reading.provenance = provenance();
  reading.events = take_events(gpu);
  return reading;
}

}  // namespace

Result<std::unique_ptr<MemorySource>> open_nvml(const Clock& clock, NvmlOptions options) {
  auto session = Session::open(options.library);
  if (!session) return fail(std::move(session.error()));
  return std::make_unique<NvmlSource>(std::move(*session), clock, std::move(options));
}

}  // namespace dualgpuopt::memory
