#include "monitor/device_directory.h"

#include <utility>

namespace dualgpuopt::memory {

void DeviceDirectory::put(std::shared_ptr<const Device> device, std::shared_ptr<const SharedHistory> history) {
  const MutexLock lock(mutex_);
  const auto gpu = device->gpu;
  entries_[gpu] = {std::move(device), std::move(history)};
}

std::vector<Device> DeviceDirectory::devices() const {
  const MutexLock lock(mutex_);
  std::vector<Device> devices;
  devices.reserve(entries_.size());
  for (const auto& [gpu, entry] : entries_) devices.push_back(*entry.device);
  return devices;
}

std::shared_ptr<const SharedHistory> DeviceDirectory::history(int gpu) const {
  const MutexLock lock(mutex_);
  const auto found = entries_.find(gpu);
  return found == entries_.end() ? nullptr : found->second.history;
}

}  // namespace dualgpuopt::memory
