// How much memory there is, and how much of it is used.
#include "fakes/nvml/abi.h"
#include "fakes/nvml/driver.h"

using namespace nvml_fake;

namespace {

constexpr unsigned long long kBar1Size = 256ULL << 20U;

MemoryV1 first_form(const NvmlFakeDevice& device) {
  if (driver().state.v1_without_reserved != 0) return {device.total - device.reserved, device.free, device.used};
  return {device.total, device.free, device.used + device.reserved};
}

}  // namespace

extern "C" {

int nvmlDeviceGetMemoryInfo(NvmlFakeDevice* device, MemoryV1* memory) {
  return answer({__func__, kNvmlFakeMemoryV1}, device, [&](const NvmlFakeDevice& found) {
    return found.kind == kNvmlFakeGb10 ? kNotSupported : put(memory, first_form(found));
  });
}

int nvmlDeviceGetMemoryInfo_v2(NvmlFakeDevice* device, MemoryV2* memory) {
  return answer({__func__, kNvmlFakeMemoryV2}, device, [&](const NvmlFakeDevice& found) {
    if (memory == nullptr) return kInvalidArgument;
    if (memory->version != kMemoryV2Version) return kFunctionNotFound;
    if (found.kind == kNvmlFakeGb10) return kNotSupported;
    *memory = {memory->version, found.total, found.reserved, found.free, found.used};
    return kSuccess;
  });
}

int nvmlDeviceGetBAR1MemoryInfo(NvmlFakeDevice* device, Bar1Memory* memory) {
  return answer({__func__, kNvmlFakeTelemetry}, device, [&](const NvmlFakeDevice& found) {
    if (found.kind == kNvmlFakeGb10) return kNotSupported;
    return put(memory, {kBar1Size, kBar1Size - (kBar1Size >> 6U), kBar1Size >> 6U});
  });
}

int nvmlDeviceGetConfComputeMemSizeInfo(NvmlFakeDevice* device, ConfComputeMemory* memory) {
  return answer({__func__, kNvmlFakeTelemetry}, device, [&](const NvmlFakeDevice& found) {
    return put(memory, {0, found.total >> 10U});
  });
}

}  // extern "C"
