// Errors in memory.
#include "fakes/nvml/abi.h"
#include "fakes/nvml/driver.h"

using namespace nvml_fake;

namespace {

constexpr unsigned kCorrected = 0;
constexpr unsigned kUncorrected = 1;

// Field ids: the totals of ECC errors, volatile and since ever, single and double.
constexpr unsigned kEccMode = 1, kFirstTotal = 3, kLastTotal = 6;
constexpr unsigned kValueUnsignedInt = 1, kValueUnsignedLongLong = 3;

Code fill(const NvmlFakeDevice& device, FieldValue& value) {
  value.type = value.field == kEccMode ? kValueUnsignedInt : kValueUnsignedLongLong;
  if (value.field == kEccMode) {
    value.value = static_cast<unsigned>(device.ecc_enabled);
    return kSuccess;
  }
  if (value.field < kFirstTotal || value.field > kLastTotal || device.ecc_enabled == 0) return kNotSupported;
  const bool is_single = (value.field - kFirstTotal) % 2 == 0;
  value.value = is_single ? device.ecc_corrected : device.ecc_uncorrected;
  return kSuccess;
}

}  // namespace

extern "C" {

int nvmlDeviceGetEccMode(NvmlFakeDevice* device, unsigned* current, unsigned* pending) {
  return answer({__func__, kNvmlFakeTelemetry}, device, [&](const NvmlFakeDevice& found) {
    if (found.ecc_enabled == 0) return kNotSupported;
    const auto code = put(current, 1U);
    return code != kSuccess ? code : put(pending, 1U);
  });
}

int nvmlDeviceGetTotalEccErrors(NvmlFakeDevice* device, unsigned type, unsigned counter, unsigned long long* errors) {
  return answer({__func__, kNvmlFakeEccErrors}, device, [&](const NvmlFakeDevice& found) {
    if (type > kUncorrected || counter > 1) return kInvalidArgument;
    if (found.ecc_enabled == 0) return kNotSupported;
    return put(errors, type == kCorrected ? found.ecc_corrected : found.ecc_uncorrected);
  });
}

int nvmlDeviceGetFieldValues(NvmlFakeDevice* device, int count, FieldValue* values) {
  return answer({__func__, kNvmlFakeFieldValues}, device, [&](const NvmlFakeDevice& found) {
    if (count <= 0 || values == nullptr) return kInvalidArgument;
    for (auto* value = values; value != values + count; ++value) {
      value->time_us = static_cast<long long>(driver().time.wall_origin_us()) + driver().time.now().count() / 1000;
      value->latency_us = 0;
      value->code = fill(found, *value);
    }
    return kSuccess;
  });
}

}  // extern "C"
