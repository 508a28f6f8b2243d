// The NVIDIA GPUs on the PCI bus as the kernel shows them, without asking their driver, which would wake one that
// sleeps.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace dualgpuopt::memory {

/// A laptop's GPU sleeps while nobody uses it; every question to its driver wakes it up, for seconds and watts.
enum class PowerState { Awake, Suspended };

struct PciGpu {
  std::string address;  ///< As NVML writes it: "00000000:01:00.0".
  PowerState state = PowerState::Awake;
  bool may_suspend = false;  ///< The kernel may put it to sleep while this program runs.
};

/// All of them, in the order of their addresses, which is NVML's order too. Empty where there is no sysfs. `root` holds
/// `sys`.
[[nodiscard]] std::vector<PciGpu> nvidia_pci_gpus(const std::filesystem::path& root);

/// Whether the GPU at an address sleeps now; one file of sysfs. A GPU of which nothing is known is awake.
[[nodiscard]] PowerState power_state(const std::filesystem::path& root, const std::string& address);

}  // namespace dualgpuopt::memory
