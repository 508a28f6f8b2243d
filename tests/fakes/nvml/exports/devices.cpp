// Which devices there are, and who they are.
#include <cstdio>
#include <cstring>
#include <string_view>

#include "fakes/nvml/abi.h"
#include "fakes/nvml/driver.h"

namespace nvml_fake {
namespace {

/// GPUs that may not be looked up: the old calls do not count them, the new ones do.
enum class Denied { Counted, Skipped };

bool counts(const NvmlFakeDevice& device, Denied denied) {
  if (device.gone != 0) return false;
  return denied == Denied::Counted || device.forced[kNvmlFakeHandleByIndex] != kNoPermission;
}

Code count(const char* symbol, Denied denied, unsigned* target) {
  return answer({symbol, kNvmlFakeCount}, [&](const NvmlFakeState& state) {
    unsigned number = 0;
    for (unsigned gpu = 0; gpu < state.gpus; ++gpu) number += counts(state.devices[gpu], denied) ? 1 : 0;
    return put(target, number);
  });
}

/// The first GPU for which `is_wanted` holds.
template <typename IsWanted>
Code look_up(const CallSite& site, Code otherwise, NvmlFakeDevice** target, IsWanted is_wanted) {
  Entry entry(site);
  if (const auto code = entry.admit_lookup(); code != kSuccess) return code;
  for (auto& device : entry.state().devices) {
    if (!is_wanted(entry.state(), device)) continue;
    if (const auto code = entry.admit_found(device); code != kSuccess) return code;
    return put(target, &device);
  }
  return otherwise;
}

Code look_up_index(const char* symbol, Denied denied, unsigned index, NvmlFakeDevice** target) {
  return look_up({symbol, kNvmlFakeHandleByIndex}, kInvalidArgument, target,
                 [&, left = index](const NvmlFakeState& state, const NvmlFakeDevice& device) mutable {
                   return is_gpu(state, device) && counts(device, denied) && left-- == 0;
                 });
}

/// Written as the driver's tools do, with a domain of four digits or eight.
bool is_at(const NvmlFakeDevice& device, const char* address) {
  unsigned domain = 0;
  unsigned bus = 0;
  unsigned slot = 0;
  if (std::sscanf(address, "%x:%x:%x.0", &domain, &bus, &slot) != 3) return false;
  return domain == device.pci_domain && bus == device.pci_bus && slot == device.pci_device;
}

Code look_up_pci(const char* symbol, const char* address, NvmlFakeDevice** target) {
  if (address == nullptr) return kInvalidArgument;
  return look_up({symbol, kNvmlFakeHandleByPci}, kNotFound, target,
                 [&](const NvmlFakeState& state, const NvmlFakeDevice& device) {
                   return is_gpu(state, device) && device.gone == 0 && is_at(device, address);
                 });
}

/// Instances have the address of their GPU.
const NvmlFakeDevice& gpu_of(const NvmlFakeDevice& device) {
  const auto& state = driver().state;
  const auto parent = parent_of(state, static_cast<unsigned>(&device - state.devices));
  return parent ? state.devices[*parent] : device;
}

PciInfo pci_info_of(const NvmlFakeDevice& device) {
  constexpr unsigned kStandInDevice = 0x268410de;
  PciInfo info{};
  info.domain = device.pci_domain;
  info.bus = device.pci_bus;
  info.device = device.pci_device;
  info.pci_device_id = kStandInDevice;
  std::snprintf(info.bus_id_legacy, sizeof(info.bus_id_legacy), "%04X:%02X:%02X.0", info.domain & 0xFFFF,
                info.bus & 0xFF, info.device & 0xFF);
  return info;
}

Code old_pci_info(const char* symbol, NvmlFakeDevice* device, PciInfo* target) {
  return answer({symbol, kNvmlFakePciInfo}, device, [&](const NvmlFakeDevice& found) {
    if (target == nullptr) return kInvalidArgument;
    const auto info = pci_info_of(found);
    std::memcpy(static_cast<void*>(target), &info, kOldPciInfoSize);
    return kSuccess;
  });
}

}  // namespace
}  // namespace nvml_fake

using namespace nvml_fake;

extern "C" {

int nvmlDeviceGetCount(unsigned* number) { return count(__func__, Denied::Skipped, number); }

int nvmlDeviceGetCount_v2(unsigned* number) { return count(__func__, Denied::Counted, number); }

int nvmlDeviceGetHandleByIndex(unsigned index, NvmlFakeDevice** device) {
  return look_up_index(__func__, Denied::Skipped, index, device);
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, NvmlFakeDevice** device) {
  return look_up_index(__func__, Denied::Counted, index, device);
}

int nvmlDeviceGetHandleByUUID(const char* uuid, NvmlFakeDevice** device) {
  if (uuid == nullptr) return kInvalidArgument;
  return look_up({__func__, kNvmlFakeHandleByUuid}, kNotFound, device,
                 [&](const NvmlFakeState& state, const NvmlFakeDevice& found) {
                   const bool is_there = is_gpu(state, found) ? found.gone == 0 : found.stale == 0;
                   return is_there && std::string_view(uuid) == found.uuid && uuid[0] != '\0';
                 });
}

int nvmlDeviceGetHandleByPciBusId(const char* address, NvmlFakeDevice** device) {
  return look_up_pci(__func__, address, device);
}

int nvmlDeviceGetHandleByPciBusId_v2(const char* address, NvmlFakeDevice** device) {
  return look_up_pci(__func__, address, device);
}

int nvmlDeviceGetName(NvmlFakeDevice* device, char* name, unsigned length) {
  return answer({__func__, kNvmlFakeName}, device,
                [&](const NvmlFakeDevice& found) { return put_text(found.name, name, length); });
}

int nvmlDeviceGetUUID(NvmlFakeDevice* device, char* uuid, unsigned length) {
  return answer({__func__, kNvmlFakeUuid}, device, [&](const NvmlFakeDevice& found) {
    return found.uuid[0] == '\0' ? kNotSupported : put_text(found.uuid, uuid, length);
  });
}

int nvmlDeviceGetIndex(NvmlFakeDevice* device, unsigned* index) {
  return answer({__func__, kNvmlFakeTelemetry}, device, [&](const NvmlFakeDevice& found) {
    const auto& state = driver().state;
    if (!is_gpu(state, found)) return kNotSupported;
    unsigned before = 0;
    for (const auto* each = state.devices; each != &found; ++each) before += each->gone == 0 ? 1 : 0;
    return put(index, before);
  });
}

int nvmlDeviceGetMinorNumber(NvmlFakeDevice* device, unsigned* number) {
  return answer({__func__, kNvmlFakeTelemetry}, device, [&](const NvmlFakeDevice& found) {
    return put(number, static_cast<unsigned>(&gpu_of(found) - driver().state.devices));
  });
}

int nvmlDeviceGetPciInfo(NvmlFakeDevice* device, PciInfo* info) { return old_pci_info(__func__, device, info); }

int nvmlDeviceGetPciInfo_v2(NvmlFakeDevice* device, PciInfo* info) { return old_pci_info(__func__, device, info); }

int nvmlDeviceGetPciInfo_v3(NvmlFakeDevice* device, PciInfo* target) {
  return answer({__func__, kNvmlFakePciInfo}, device, [&](const NvmlFakeDevice& found) {
    auto info = pci_info_of(found);
    std::snprintf(info.bus_id, sizeof(info.bus_id), "%08X:%02X:%02X.0", info.domain, info.bus, info.device);
    return put(target, info);
  });
}

}  // extern "C"
