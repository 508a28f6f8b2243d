// What a device is: its identity across runs, and its place in this one.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace dualgpuopt::memory {

enum class Vendor { Unknown, Nvidia, Amd, Intel };

/// Mig: an instance of a partitioned NVIDIA GPU; Partitioned: such a GPU itself, which is shown but neither alerted on
/// nor relieved, since its memory belongs to its instances; Integrated: shares the host's memory.
enum class DeviceKind { Gpu, Mig, Partitioned, Integrated };

[[nodiscard]] std::string_view to_string(Vendor vendor);
[[nodiscard]] std::string_view to_string(DeviceKind kind);

/// One GPU or MIG instance, as a source enumerated it.
struct Device {
  int gpu = 0;                             ///< Index in this run; may change between runs.
  std::string key;                         ///< Identity: the UUID, else the PCI address, else "SOURCE-INDEX".
  std::string name;                        ///< Product name as the driver gives it.
  std::optional<std::string> uuid;         ///< "GPU-…" or "MIG-…" with NVIDIA.
  std::optional<std::string> pci_address;  ///< "00000000:01:00.0".
  std::optional<std::string> parent_key;   ///< The partitioned GPU a MIG instance belongs to.
  Vendor vendor = Vendor::Unknown;
  DeviceKind kind = DeviceKind::Gpu;

  friend bool operator==(const Device&, const Device&) = default;
};

}  // namespace dualgpuopt::memory
