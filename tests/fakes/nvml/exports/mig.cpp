// Partitioned GPUs and their instances.
#include "fakes/nvml/driver.h"

using namespace nvml_fake;

namespace {

std::optional<unsigned> parent_of(const NvmlFakeDevice& device) {
  return nvml_fake::parent_of(driver().state, static_cast<unsigned>(&device - driver().state.devices));
}

unsigned slots_of(const NvmlFakeDevice& device) {
  return device.mig_slot_count != 0 ? device.mig_slot_count : unsigned{kNvmlFakeMigSlots};
}

}  // namespace

extern "C" {

int nvmlDeviceGetMigMode(NvmlFakeDevice* device, unsigned* current, unsigned* pending) {
  return answer({__func__, kNvmlFakeMigMode}, device, [&](const NvmlFakeDevice& found) {
    if (found.mig_capable == 0) return kNotSupported;
    const auto mode = static_cast<unsigned>(found.mig_enabled);
    const auto code = put(current, mode);
    return code != kSuccess ? code : put(pending, mode);
  });
}

int nvmlDeviceGetMaxMigDeviceCount(NvmlFakeDevice* device, unsigned* count) {
  return answer({__func__, kNvmlFakeMigCount}, device,
                [&](const NvmlFakeDevice& found) { return put(count, found.mig_enabled != 0 ? slots_of(found) : 0); });
}

int nvmlDeviceGetMigDeviceHandleByIndex(NvmlFakeDevice* device, unsigned slot, NvmlFakeDevice** instance) {
  return answer({__func__, kNvmlFakeMigHandle}, device, [&](const NvmlFakeDevice& found) {
    if (slot >= slots_of(found)) return kInvalidArgument;
    if (found.mig_slots[slot] == 0) return kNotFound;
    return put(instance, &driver().state.devices[found.mig_slots[slot]]);
  });
}

int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(NvmlFakeDevice* instance, NvmlFakeDevice** device) {
  return answer({__func__, kNvmlFakeMigParent}, instance, [&](const NvmlFakeDevice& found) {
    const auto parent = parent_of(found);
    return parent ? put(device, &driver().state.devices[*parent]) : kInvalidArgument;
  });
}

int nvmlDeviceIsMigDeviceHandle(NvmlFakeDevice* device, unsigned* is_instance) {
  return answer({__func__, kNvmlFakeMigParent}, device,
                [&](const NvmlFakeDevice& found) { return put(is_instance, parent_of(found) ? 1U : 0U); });
}

int nvmlDeviceGetGpuInstanceId(NvmlFakeDevice* device, unsigned* id) {
  return answer({__func__, kNvmlFakeGpuInstance}, device, [&](const NvmlFakeDevice& found) {
    return parent_of(found) ? put(id, found.gpu_instance) : kNotSupported;
  });
}

int nvmlDeviceGetComputeInstanceId(NvmlFakeDevice* device, unsigned* id) {
  return answer({__func__, kNvmlFakeComputeInstance}, device, [&](const NvmlFakeDevice& found) {
    return parent_of(found) ? put(id, found.compute_instance) : kNotSupported;
  });
}

}  // extern "C"
