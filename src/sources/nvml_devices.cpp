#include "sources/nvml_devices.h"

#include <fmt/format.h>

#include <algorithm>

namespace dualgpuopt::memory::nvml {
namespace {

std::optional<std::string> known(Answer<std::string> text) {
  if (!text || text->empty()) return std::nullopt;
  return std::move(*text);
}

/// Everything of a Device that the driver tells, without its place in the list.
Device describe_device(const Library& library, Handle handle, DeviceKind kind) {
  Device device;
  device.name = library.name(handle).value_or("");
  device.uuid = known(library.uuid(handle));
  device.pci_address = known(library.pci_address(handle));
  device.vendor = Vendor::Nvidia;
  device.kind = kind;
  return device;
}

/// Gives a device its place and, by that, its identity. MIG instances share their GPU's PCI address.
void place(Device& device, int gpu) {
  const auto by_index = fmt::format("nvml-{}", gpu);
  const auto address = device.kind == DeviceKind::Mig ? std::nullopt : device.pci_address;
  device.gpu = gpu;
  device.key = device.uuid.value_or(address.value_or(by_index));
}

const NvmlDevice* find_gpu(const std::vector<NvmlDevice>& devices, unsigned index) {
  const auto found = std::find_if(devices.begin(), devices.end(), [index](const NvmlDevice& each) {
    return each.index == index && each.device.kind != DeviceKind::Mig;
  });
  return found == devices.end() ? nullptr : &*found;
}

std::size_t count_gpus(const std::vector<NvmlDevice>& devices) {
  return static_cast<std::size_t>(std::count_if(
      devices.begin(), devices.end(), [](const NvmlDevice& each) { return each.device.kind != DeviceKind::Mig; }));
}

NvmlDevice look_up_gpu(const Library& library, unsigned index, const NvmlDevice* before) {
  NvmlDevice gpu{{}, index, library.device(index), MemoryCall::V2};
  if (gpu.handle) {
    gpu.device = describe_device(library, *gpu.handle, DeviceKind::Gpu);
  } else if (before != nullptr) {
    gpu.device = before->device;
  } else {
    gpu.device.vendor = Vendor::Nvidia;
  }
  place(gpu.device, static_cast<int>(index));
  return gpu;
}

/// The instances of a partitioned GPU. Slots may be empty, with others after them.
std::vector<NvmlDevice> look_up_instances(const Library& library, const NvmlDevice& gpu) {
  std::vector<NvmlDevice> instances;
  if (!gpu.handle || !library.mig_enabled(*gpu.handle)) return instances;
  const auto slots = library.mig_slots(*gpu.handle).value_or(0);
  for (unsigned slot = 0; slot < slots; ++slot) {
    const auto handle = library.mig_instance(*gpu.handle, slot);
    if (!handle) continue;
    NvmlDevice instance{describe_device(library, *handle, DeviceKind::Mig), gpu.index, *handle, MemoryCall::V2};
    instance.device.parent_key = gpu.device.key;
    if (instance.device.name.empty()) instance.device.name = gpu.device.name;
    instances.push_back(std::move(instance));
  }
  return instances;
}

}  // namespace

Result<std::vector<NvmlDevice>> enumerate_devices(const Library& library, const std::vector<NvmlDevice>& before) {
  const auto count = library.device_count();
  if (!count) return fail(ErrorCode::Unavailable, library.describe(count.error()));
  const bool same_count = count_gpus(before) == *count;
  std::vector<NvmlDevice> devices;
  for (unsigned index = 0; index < *count; ++index) {
    devices.push_back(look_up_gpu(library, index, same_count ? find_gpu(before, index) : nullptr));
  }
  for (unsigned index = 0; index < *count; ++index) {
    for (auto& instance : look_up_instances(library, devices[index])) {
      place(instance.device, static_cast<int>(devices.size()));
      devices.push_back(std::move(instance));
    }
  }
  return devices;
}

bool is_same_device(const Library& library, const NvmlDevice& device) {
  if (device.device.kind != DeviceKind::Mig || !device.device.uuid || !device.handle) return true;
  return library.uuid(*device.handle) == *device.device.uuid;
}

}  // namespace dualgpuopt::memory::nvml
