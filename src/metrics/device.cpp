#include "dualgpuopt/memory/metrics/device.h"

namespace dualgpuopt::memory {

std::string_view to_string(Vendor vendor) {
  switch (vendor) {
    case Vendor::Unknown: return "unknown";
    case Vendor::Nvidia: return "nvidia";
    case Vendor::Amd: return "amd";
    case Vendor::Intel: return "intel";
  }
  return "unknown";
}

std::string_view to_string(DeviceKind kind) {
  switch (kind) {
    case DeviceKind::Gpu: return "gpu";
    case DeviceKind::Mig: return "mig";
    case DeviceKind::Partitioned: return "partitioned";
    case DeviceKind::Integrated: return "integrated";
  }
  return "unknown";
}

}  // namespace dualgpuopt::memory
