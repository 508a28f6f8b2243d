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

  /// From now on measurements fail with this reason.
  void lose(std::string reason) {
    const MutexLock lock(mutex_);
    lost_ = std::move(reason);
  }

  [[nodiscard]] Reading measure(int gpu) override {
    const MutexLock lock(mutex_);
    ++measurements_;
    return lost_ ? lost(*lost_, gpu) : reading_of(used_[gpu], gpu);
  }

  [[nodiscard]] int measurements() const {
    const MutexLock lock(mutex_);
    return measurements_;
  }

 private:
  mutable Mutex mutex_;
  std::map<int, Bytes> used_ DUALGPUOPT_GUARDED_BY(mutex_);
  std::optional<std::string> lost_ DUALGPUOPT_GUARDED_BY(mutex_);
  int measurements_ DUALGPUOPT_GUARDED_BY(mutex_) = 0;
};

}  // namespace dualgpuopt::memory::testing
