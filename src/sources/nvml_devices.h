// The GPUs and MIG instances that NVML knows, with what is needed to ask for them.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "dualgpuopt/memory/metrics/device.h"
#include "dualgpuopt/memory/sources/nvml.h"
#include "sources/nvml_library.h"
#include "sources/nvml_memory.h"
#include "sources/nvml_session.h"
#include "sources/patient_lookups.h"

namespace dualgpuopt::memory::nvml {

/// The reason of a GPU that was not asked because that would wake it.
inline constexpr auto kAsleep =
    "it sleeps to save power, and reading it would wake it up: ask with --wake if that is what you want";

struct NvmlDevice {
  Device device;
  unsigned index = 0;                       ///< NVML's own, of the GPU itself or the one a MIG instance is part of.
  Handle handle = nullptr;                  ///< Null if it cannot be asked:
  std::string reason;                       ///< and why: a lost GPU, a missing permission, asleep, no longer there.
  MemoryCall memory_call = MemoryCall::V2;  ///< With which the next reading begins.
  bool may_suspend = false;                 ///< Look whether it sleeps before asking.
};

using Lookups = PatientLookups<std::vector<NvmlDevice>>;

/// What there is now: first the GPUs in the order that NVIDIA's tools show, then the MIG instances. A GPU whose look-up
/// fails is there, without a name and with the reason. With WakePolicy::LeaveAsleep GPUs that sleep are not looked up:
/// they are known by their PCI address alone, and their place is the one that the bus gives them. One that does not
/// answer within the patience of `lookups` is there with that as its reason. Error (Unavailable): the driver's words.
[[nodiscard]] Result<std::vector<NvmlDevice>> look_for_devices(const std::shared_ptr<const Session>& session,
                                                               const std::filesystem::path& root, WakePolicy wake,
                                                               Lookups& lookups);

/// Joins what was found with what was known before, so that a device keeps its place, `Device::gpu`, for as long as
/// this run lasts: known by its UUID, or by its PCI address where it has none, or, if its look-up failed and as many
/// GPUs are there as before, by NVML's index. New devices come after all others. One that is not there any more stays
/// with the reason; so does one that was known and does not say who it is any more, and a MIG instance without UUID.
[[nodiscard]] std::vector<NvmlDevice> join_devices(std::vector<NvmlDevice> before, std::vector<NvmlDevice> found);

/// Whether the handle still means the device that was found: a MIG instance's may come to mean another instance when
/// instances are destroyed and made.
[[nodiscard]] bool is_same_device(const Library& library, const NvmlDevice& device);

}  // namespace dualgpuopt::memory::nvml
