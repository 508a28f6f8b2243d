#include "dualgpuopt/memory/monitor/snapshot.h"

#include <algorithm>

namespace dualgpuopt::memory {

const DeviceSnapshot* Snapshot::find(int gpu) const {
  const auto found = std::find_if(devices.begin(), devices.end(), [&](const auto& d) { return d.device->gpu == gpu; });
  return found == devices.end() ? nullptr : &*found;
}

}  // namespace dualgpuopt::memory
