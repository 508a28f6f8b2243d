// A device whose memory falls when a strategy of the test frees it.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "dualgpuopt/memory/core/mutex.h"
#include "dualgpuopt/memory/metrics/memory_port.h"
#include "recovery/readings.h"

namespace dualgpuopt::memory::testing {

/// Thread-safe, as a port must be: strategies free from their own threads.
class ScriptedDevices final : public MemoryPort {
 public:
  void set_used(int gpu, Bytes used) {
    const MutexLock lock(mutex_);
    used_[gpu] = used;
  }

  void free(int gpu, Bytes bytes) {
    const MutexLock lock(mutex_);
    used_[gpu] -= std::min(bytes, used_[gpu]);
  }

  /// From now on this list comes with measurements that ask for one.
  void set_processes(ProcessList list) {
    const MutexLock lock(mutex_);
    processes_ = std::make_shared<const ProcessList>(std::move(list));
  }

  /// From now on measurements fail with this reason.
  void lose(std::string reason) {
    const MutexLock lock(mutex_);
    lost_ = std::move(reason);
  }

  [[nodiscard]] Reading measure(int gpu, ReadDetail detail) override {
    const MutexLock lock(mutex_);
    ++measurements_;
    auto reading = lost_ ? lost(*lost_, gpu) : reading_of(used_[gpu], gpu);
    if (detail == ReadDetail::MemoryAndProcesses) reading.processes = processes_;
    return reading;
  }

  [[nodiscard]] int measurements() const {
    const MutexLock lock(mutex_);
    return measurements_;
  }

 private:
  mutable Mutex mutex_;
  std::map<int, Bytes> used_ DUALGPUOPT_GUARDED_BY(mutex_);
  std::shared_ptr<const ProcessList> processes_ DUALGPUOPT_GUARDED_BY(mutex_);
  std::optional<std::string> lost_ DUALGPUOPT_GUARDED_BY(mutex_);
  int measurements_ DUALGPUOPT_GUARDED_BY(mutex_) = 0;
};

}  // namespace dualgpuopt::memory::testing
