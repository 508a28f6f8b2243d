// A source whose devices do what a test says: any amount, no answer, an exception, a call that hangs.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "dualgpuopt/memory/core/mutex.h"
#include "dualgpuopt/memory/sources/memory_source.h"

namespace dualgpuopt::memory {

/// Thread-safe. Every device has 24 GiB and begins with 1 GiB used.
class ScriptedSource final : public MemorySource {
 public:
  ScriptedSource(int devices, const Clock& clock, Provenance provenance = Provenance::Driver)
      : clock_(clock), provenance_(provenance) {
    for (int gpu = 0; gpu < devices; ++gpu) scripts_[gpu] = {};
  }
  ~ScriptedSource() override { release_hung(); }

  static constexpr Bytes kTotal = 24_GiB;

  void set_used(int gpu, Bytes used) {
    with(gpu, [&](Script& script) { script.used = used; });
  }
  void set_failure(int gpu, std::string reason) {
    with(gpu, [&](Script& script) { script.failure = std::move(reason); });
  }
  void set_throwing(int gpu) {
    with(gpu, [](Script& script) { script.throws = true; });
  }
  void set_hanging(int gpu) {
    with(gpu, [](Script& script) { script.hangs = true; });
  }
  /// From now on there is one more device, with the next index.
  void add_device() {
    const MutexLock lock(mutex_);
    scripts_[static_cast<int>(scripts_.size())] = {};
  }
  void set_kind(int gpu, DeviceKind kind) {
    with(gpu, [&](Script& script) { script.kind = kind; });
  }
  void add_event(int gpu, DeviceEvent event) {
    with(gpu, [&](Script& script) { script.events.push_back(event); });
  }
  void set_throwing_lists() {
    const MutexLock lock(mutex_);
    lists_throw_ = true;
  }
  /// Until release_hung().
  void set_hanging_lists() {
    const MutexLock lock(mutex_);
    lists_hang_ = true;
  }
  void wait_until_list_hangs() {
    const MutexLock lock(mutex_);
    while (!list_is_hung_) changed_.wait(mutex_);
  }
  /// How often the devices were looked for.
  [[nodiscard]] int looks() {
    const MutexLock lock(mutex_);
    return looks_;
  }
  [[nodiscard]] bool is_released() {
    const MutexLock lock(mutex_);
    return released_;
  }
  /// Every call that hangs comes back with a reading, and none hangs any more.
  void release_hung() {
    const MutexLock lock(mutex_);
    for (auto& [gpu, script] : scripts_) script.hangs = false;
    lists_hang_ = false;
    changed_.notify_all();
  }
  void wait_for_reads(int gpu, int reads) {
    const MutexLock lock(mutex_);
    while (scripts_[gpu].reads < reads) changed_.wait(mutex_);
  }
  void wait_until_hanging(int gpu) {
    const MutexLock lock(mutex_);
    while (!scripts_[gpu].is_hung) changed_.wait(mutex_);
  }
  [[nodiscard]] int reads(int gpu) {
    const MutexLock lock(mutex_);
    return scripts_[gpu].reads;
  }

  std::string_view name() const override { return "scripted"; }
  Provenance provenance() const override { return provenance_; }

  Result<std::vector<Device>> enumerate() override {
    const MutexLock lock(mutex_);
    ++looks_;
    released_ = false;
    list_is_hung_ = lists_hang_;
    changed_.notify_all();
    while (lists_hang_) changed_.wait(mutex_);
    list_is_hung_ = false;
    if (lists_throw_) throw std::runtime_error("the script says so");
    std::vector<Device> devices;
    for (const auto& [gpu, script] : scripts_) {
      devices.push_back(
          {gpu, "scripted-" + std::to_string(gpu), "Scripted GPU", {}, {}, {}, Vendor::Unknown, script.kind});
    }
    return devices;
  }

  Result<void> release() override {
    const MutexLock lock(mutex_);
    for (const auto& [gpu, script] : scripts_) {
      if (script.is_hung) return fail(ErrorCode::Unavailable, "a call hangs");
    }
    released_ = true;
    return {};
  }

  Reading read(int gpu, ReadDetail detail) override {
    const MutexLock lock(mutex_);
    auto& script = scripts_[gpu];
    ++script.reads;
    script.is_hung = script.hangs;
    changed_.notify_all();
    while (script.hangs) changed_.wait(mutex_);
    script.is_hung = false;
    if (script.throws) throw std::runtime_error("the script says so");
    if (released_) return Reading::unavailable(gpu, clock_.stamp(), provenance_, "released");
    if (!script.failure.empty()) return Reading::unavailable(gpu, clock_.stamp(), provenance_, script.failure);
    Reading reading{gpu,
                    clock_.stamp(),
                    provenance_,
                    MemoryUse::from_used_and_total(script.used, kTotal),
                    {},
                    nullptr,
                    std::exchange(script.events, {})};
    if (detail == ReadDetail::MemoryAndProcesses) {
      reading.processes = std::make_shared<ProcessList>(ProcessList{reading.time, {}, {}});
    }
    return reading;
  }

 private:
  struct Script {
    Bytes used = 1_GiB;
    std::string failure;
    DeviceKind kind = DeviceKind::Gpu;
    std::vector<DeviceEvent> events;
    bool throws = false;
    bool hangs = false;
    bool is_hung = false;
    int reads = 0;
  };

  template <typename Change>
  void with(int gpu, Change change) {
    const MutexLock lock(mutex_);
    change(scripts_[gpu]);
    changed_.notify_all();
  }

  const Clock& clock_;
  Provenance provenance_;
  Mutex mutex_;
  Condition changed_;
  std::map<int, Script> scripts_ DUALGPUOPT_GUARDED_BY(mutex_);
  int looks_ DUALGPUOPT_GUARDED_BY(mutex_) = 0;
  bool lists_throw_ DUALGPUOPT_GUARDED_BY(mutex_) = false;
  bool lists_hang_ DUALGPUOPT_GUARDED_BY(mutex_) = false;
  bool list_is_hung_ DUALGPUOPT_GUARDED_BY(mutex_) = false;
  bool released_ DUALGPUOPT_GUARDED_BY(mutex_) = false;
};

}  // namespace dualgpuopt::memory
