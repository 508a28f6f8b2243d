// What clients print: constants that could be true, and what a scenario says. A MIG instance has none of it.
#include "fakes/nvml/abi.h"
#include "fakes/nvml/driver.h"

namespace nvml_fake {
namespace {

enum class On { EveryGpu, NotGb10 };

/// A value of a whole GPU.
template <typename Value>
Code tell(const char* symbol, NvmlFakeDevice* device, Value* target, Value value, On on = On::EveryGpu) {
  return answer({symbol, kNvmlFakeTelemetry}, device, [&](const NvmlFakeDevice& found) {
    if (!is_gpu(driver().state, found) || (on == On::NotGb10 && found.kind == kNvmlFakeGb10)) return kNotSupported;
    return put(target, value);
  });
}

/// The same for a value that lies in the telemetry.
Code tell(const char* symbol, NvmlFakeDevice* device, unsigned* target, unsigned NvmlFakeTelemetry::*value,
          On on = On::EveryGpu) {
  return answer({symbol, kNvmlFakeTelemetry}, device, [&](const NvmlFakeDevice& found) {
    if (!is_gpu(driver().state, found) || (on == On::NotGb10 && found.kind == kNvmlFakeGb10)) return kNotSupported;
    return put(target, found.telemetry.*value);
  });
}

// By type of clock: graphics, SM, memory, video.
constexpr unsigned kClocks[] = {1410, 1410, 5001, 1275};
constexpr unsigned kMostClocks[] = {2520, 2520, 10501, 1950};
constexpr unsigned kClockTypes = 4;

Code tell_clock(const char* symbol, NvmlFakeDevice* device, unsigned type, const unsigned (&clocks)[kClockTypes],
                unsigned* mhz) {
  return type >= kClockTypes ? kInvalidArgument : tell(symbol, device, mhz, clocks[type]);
}

constexpr unsigned kTemperatureVersion = version_of(sizeof(TemperatureV1), 1);
/// In °C: shutdown, slowdown, most for memory, most for the GPU.
constexpr unsigned kThresholds[] = {95, 92, 105, 84};
constexpr unsigned kThresholdTypes = 4;

constexpr unsigned kPcieGeneration = 4, kPcieWidth = 16, kPcieKibPerSecond = 2048;
constexpr unsigned kSamplingPeriodUs = 167'000;

}  // namespace
}  // namespace nvml_fake

using namespace nvml_fake;

extern "C" {

int nvmlDeviceGetTemperature(NvmlFakeDevice* device, unsigned sensor, unsigned* celsius) {
  return sensor != 0 ? kInvalidArgument : tell(__func__, device, celsius, &NvmlFakeTelemetry::temperature);
}

int nvmlDeviceGetTemperatureV(NvmlFakeDevice* device, TemperatureV1* temperature) {
  return answer({__func__, kNvmlFakeTelemetry}, device, [&](const NvmlFakeDevice& found) {
    if (temperature == nullptr || temperature->sensor != 0) return kInvalidArgument;
    if (temperature->version != kTemperatureVersion) return kArgumentVersionMismatch;
    if (!is_gpu(driver().state, found)) return kNotSupported;
    temperature->temperature = static_cast<int>(found.telemetry.temperature);
    return kSuccess;
  });
}

int nvmlDeviceGetTemperatureThreshold(NvmlFakeDevice* device, unsigned type, unsigned* celsius) {
  return type >= kThresholdTypes ? kNotSupported : tell(__func__, device, celsius, kThresholds[type]);
}

int nvmlDeviceGetFanSpeed(NvmlFakeDevice* device, unsigned* percent) {
  return tell(__func__, device, percent, &NvmlFakeTelemetry::fan_percent, On::NotGb10);
}

int nvmlDeviceGetFanSpeed_v2(NvmlFakeDevice* device, unsigned fan, unsigned* percent) {
  return fan != 0 ? kInvalidArgument : tell(__func__, device, percent, &NvmlFakeTelemetry::fan_percent, On::NotGb10);
}

int nvmlDeviceGetNumFans(NvmlFakeDevice* device, unsigned* fans) {
  return tell(__func__, device, fans, 1U, On::NotGb10);
}

int nvmlDeviceGetPowerUsage(NvmlFakeDevice* device, unsigned* milliwatts) {
  return tell(__func__, device, milliwatts, &NvmlFakeTelemetry::power);
}

int nvmlDeviceGetPowerManagementLimit(NvmlFakeDevice* device, unsigned* milliwatts) {
  return tell(__func__, device, milliwatts, &NvmlFakeTelemetry::power_limit, On::NotGb10);
}

int nvmlDeviceGetPowerManagementDefaultLimit(NvmlFakeDevice* device, unsigned* milliwatts) {
  return tell(__func__, device, milliwatts, &NvmlFakeTelemetry::power_limit, On::NotGb10);
}

int nvmlDeviceGetEnforcedPowerLimit(NvmlFakeDevice* device, unsigned* milliwatts) {
  return tell(__func__, device, milliwatts, &NvmlFakeTelemetry::power_limit, On::NotGb10);
}

int nvmlDeviceGetPowerManagementMode(NvmlFakeDevice* device, unsigned* mode) {
  return tell(__func__, device, mode, 1U, On::NotGb10);
}

/// A state of power, 0 for the fastest.
int nvmlDeviceGetPowerState(NvmlFakeDevice* device, unsigned* level) { return tell(__func__, device, level, 2U); }

int nvmlDeviceGetPerformanceState(NvmlFakeDevice* device, unsigned* level) { return tell(__func__, device, level, 2U); }

/// On partitioned GPUs the driver does not tell it.
int nvmlDeviceGetUtilizationRates(NvmlFakeDevice* device, Utilization* utilization) {
  return answer({__func__, kNvmlFakeTelemetry}, device, [&](const NvmlFakeDevice& found) {
    if (found.mig_enabled != 0 || !is_gpu(driver().state, found)) return kNotSupported;
    return put(utilization, {found.telemetry.gpu_percent, found.telemetry.memory_percent});
  });
}

int nvmlDeviceGetEncoderUtilization(NvmlFakeDevice* device, unsigned* percent, unsigned* period_us) {
  const auto code = tell(__func__, device, percent, 0U);
  return code != kSuccess ? code : put(period_us, kSamplingPeriodUs);
}

int nvmlDeviceGetDecoderUtilization(NvmlFakeDevice* device, unsigned* percent, unsigned* period_us) {
  const auto code = tell(__func__, device, percent, 0U);
  return code != kSuccess ? code : put(period_us, kSamplingPeriodUs);
}

int nvmlDeviceGetClockInfo(NvmlFakeDevice* device, unsigned type, unsigned* mhz) {
  return tell_clock(__func__, device, type, kClocks, mhz);
}

int nvmlDeviceGetMaxClockInfo(NvmlFakeDevice* device, unsigned type, unsigned* mhz) {
  return tell_clock(__func__, device, type, kMostClocks, mhz);
}

int nvmlDeviceGetMaxPcieLinkGeneration(NvmlFakeDevice* device, unsigned* generation) {
  return tell(__func__, device, generation, kPcieGeneration, On::NotGb10);
}

int nvmlDeviceGetCurrPcieLinkGeneration(NvmlFakeDevice* device, unsigned* generation) {
  return tell(__func__, device, generation, kPcieGeneration, On::NotGb10);
}

int nvmlDeviceGetMaxPcieLinkWidth(NvmlFakeDevice* device, unsigned* lanes) {
  return tell(__func__, device, lanes, kPcieWidth, On::NotGb10);
}

int nvmlDeviceGetCurrPcieLinkWidth(NvmlFakeDevice* device, unsigned* lanes) {
  return tell(__func__, device, lanes, kPcieWidth, On::NotGb10);
}

int nvmlDeviceGetPcieThroughput(NvmlFakeDevice* device, unsigned counter, unsigned* kib_per_second) {
  return counter > 1 ? kInvalidArgument : tell(__func__, device, kib_per_second, kPcieKibPerSecond, On::NotGb10);
}

int nvmlDeviceGetDisplayMode(NvmlFakeDevice* device, unsigned* mode) { return tell(__func__, device, mode, 0U); }

int nvmlDeviceGetDisplayActive(NvmlFakeDevice* device, unsigned* mode) { return tell(__func__, device, mode, 0U); }

int nvmlDeviceGetPersistenceMode(NvmlFakeDevice* device, unsigned* mode) { return tell(__func__, device, mode, 1U); }

int nvmlDeviceGetComputeMode(NvmlFakeDevice* device, unsigned* mode) { return tell(__func__, device, mode, 0U); }

int nvmlDeviceGetCudaComputeCapability(NvmlFakeDevice* device, int* major, int* minor) {
  const auto code = tell(__func__, device, major, 8);
  return code != kSuccess ? code : put(minor, 9);
}

int nvmlDeviceGetSerial(NvmlFakeDevice* device, char* serial, unsigned length) {
  static_cast<void>(serial);
  static_cast<void>(length);
  return answer({__func__, kNvmlFakeTelemetry}, device, [](const NvmlFakeDevice&) { return kNotSupported; });
}

/// Windows has it.
int nvmlDeviceGetDriverModel(NvmlFakeDevice* device, unsigned* current, unsigned* pending) {
  static_cast<void>(current);
  static_cast<void>(pending);
  return answer({__func__, kNvmlFakeTelemetry}, device, [](const NvmlFakeDevice&) { return kNotSupported; });
}

int nvmlDeviceGetDriverModel_v2(NvmlFakeDevice* device, unsigned* current, unsigned* pending) {
  static_cast<void>(current);
  static_cast<void>(pending);
  return answer({__func__, kNvmlFakeTelemetry}, device, [](const NvmlFakeDevice&) { return kNotSupported; });
}

}  // extern "C"
