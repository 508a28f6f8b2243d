// The GPUs and MIG instances that NVML knows, with what is needed to ask for them.
#pragma once

#include <optional>
#include <vector>

#include "dualgpuopt/memory/metrics/device.h"
#include "sources/nvml_library.h"
#include "sources/nvml_memory.h"

namespace dualgpuopt::memory::nvml {

struct NvmlDevice {
  Device device;
  unsigned index = 0;                       ///< NVML's own, of the GPU itself or the one a MIG instance is part of.
  Answer<Handle> handle = nullptr;          ///< Or why the look-up failed: a lost GPU, a missing permission.
  MemoryCall memory_call = MemoryCall::V2;  ///< With which the next reading begins.
};

/// All devices: first the GPUs, so that a GPU's index is the one that NVIDIA's tools show, then the MIG instances. A
/// GPU whose look-up fails is listed as well; it keeps the identity that it had in `before` if the machine still has as
/// many GPUs as then, else it is named by its index and has no name. Error (Unavailable): the driver's words.
[[nodiscard]] Result<std::vector<NvmlDevice>> enumerate_devices(const Library& library,
                                                                const std::vector<NvmlDevice>& before);

/// Whether the handle still means the device that was enumerated: a MIG instance's may come to mean another instance
/// when instances are destroyed and made.
[[nodiscard]] bool is_same_device(const Library& library, const NvmlDevice& device);

}  // namespace dualgpuopt::memory::nvml
