// The devices of a monitor for everybody but the sampler: who they are, and their histories.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "dualgpuopt/memory/core/mutex.h"
#include "dualgpuopt/memory/metrics/device.h"
#include "monitor/shared_history.h"

namespace dualgpuopt::memory {

/// Thread-safe. The sampler writes to it only when devices come or change.
class DeviceDirectory {
 public:
  void put(std::shared_ptr<const Device> device, std::shared_ptr<const SharedHistory> history);
  /// In the order of their index.
  [[nodiscard]] std::vector<Device> devices() const;
  /// Null for a device that is not known.
  [[nodiscard]] std::shared_ptr<const SharedHistory> history(int gpu) const;

 private:
  struct Entry {
    std::shared_ptr<const Device> device;
    std::shared_ptr<const SharedHistory> history;
  };

  mutable Mutex mutex_;
  std::map<int, Entry> entries_ DUALGPUOPT_GUARDED_BY(mutex_);
};

}  // namespace dualgpuopt::memory
