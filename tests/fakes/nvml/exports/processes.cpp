// Which processes use a device, and how much of it.
#include <chrono>
#include <cstring>

#include "fakes/nvml/abi.h"
#include "fakes/nvml/driver.h"
#include "fakes/nvml/generation.h"

namespace nvml_fake {
namespace {

using List = NvmlFakeList NvmlFakeDevice::*;

template <typename Entry>
void write_entry(const NvmlFakeProcess& process, int kind, Entry& entry) {
  // Every form begins like the shorter ones.
  const ProcessDetail longest{process.pid, kind == kNvmlFakeWsl ? kNotAvailable : process.used, process.gpu_instance,
                              process.compute_instance, 0};
  std::memcpy(static_cast<void*>(&entry), &longest, sizeof(Entry));
}

/// The caller says how much room there is, and is told how much it takes.
template <typename Entry>
Code copy_list(const NvmlFakeDevice& device, NvmlFakeList& list, unsigned* count, Entry* entries) {
  if (count == nullptr) return kInvalidArgument;
  const auto room = *count;
  *count = list.count;
  if (room < list.count) {
    list.count += list.grows_by;
    return kInsufficientSize;
  }
  if (list.count > 0 && entries == nullptr) return kInvalidArgument;
  for (unsigned i = 0; i < list.count; ++i) {
    write_entry(list.processes[i % kNvmlFakeProcesses], device.kind, entries[i]);
  }
  return kSuccess;
}

template <typename Entry>
Code list(const CallSite& site, List which, NvmlFakeDevice* device, unsigned* count, Entry* entries) {
  return answer(site, device, [&](NvmlFakeDevice& found) { return copy_list(found, found.*which, count, entries); });
}

/// _v3, whose entries R535's first releases made longer.
Code newest_list(const CallSite& site, List which, NvmlFakeDevice* device, unsigned* count, void* entries) {
  if (kGeneration.wide_entries) return list(site, which, device, count, static_cast<ProcessDetail*>(entries));
  return list(site, which, device, count, static_cast<ProcessV2*>(entries));
}

constexpr unsigned kModes = 3;  // compute, graphics, MPS

Code detail_list(NvmlFakeDevice& device, ProcessDetailList* target) {
  if (target == nullptr) return kInvalidArgument;
  if (target->version != kProcessDetailListVersion) return kArgumentVersionMismatch;
  if (target->mode >= kModes) return kInvalidArgument;
  constexpr List kLists[kModes] = {&NvmlFakeDevice::compute, &NvmlFakeDevice::graphics, &NvmlFakeDevice::mps};
  return copy_list(device, device.*kLists[target->mode], &target->count, target->entries);
}

/// The driver takes a sample a second; this is when it took the last one.
unsigned long long last_sample_us() {
  using std::chrono::seconds;
  const auto second = std::chrono::floor<seconds>(driver().time.now());
  return driver().time.wall_origin_us() + static_cast<unsigned long long>(std::chrono::microseconds(second).count());
}

Code utilization(const NvmlFakeDevice& device, ProcessUtilization* samples, unsigned* count,
                 unsigned long long last_seen_us) {
  if (count == nullptr) return kInvalidArgument;
  const auto& list = device.compute;
  const auto time = last_sample_us();
  if (list.count == 0 || time <= last_seen_us) return kNotFound;
  const auto room = *count;
  *count = list.count;
  if (samples == nullptr || room < list.count) return kInsufficientSize;
  for (unsigned i = 0; i < list.count; ++i) {
    samples[i] = {list.processes[i % kNvmlFakeProcesses].pid,   time, device.telemetry.gpu_percent / list.count,
                  device.telemetry.memory_percent / list.count, 0,    0};
  }
  return kSuccess;
}

}  // namespace
}  // namespace nvml_fake

using namespace nvml_fake;

extern "C" {

int nvmlDeviceGetComputeRunningProcesses(NvmlFakeDevice* device, unsigned* count, ProcessV1* entries) {
  return list({__func__, kNvmlFakeCompute}, &NvmlFakeDevice::compute, device, count, entries);
}

int nvmlDeviceGetComputeRunningProcesses_v2(NvmlFakeDevice* device, unsigned* count, ProcessV2* entries) {
  return list({__func__, kNvmlFakeCompute}, &NvmlFakeDevice::compute, device, count, entries);
}

int nvmlDeviceGetComputeRunningProcesses_v3(NvmlFakeDevice* device, unsigned* count, void* entries) {
  return newest_list({__func__, kNvmlFakeCompute}, &NvmlFakeDevice::compute, device, count, entries);
}

int nvmlDeviceGetGraphicsRunningProcesses(NvmlFakeDevice* device, unsigned* count, ProcessV1* entries) {
  return list({__func__, kNvmlFakeGraphics}, &NvmlFakeDevice::graphics, device, count, entries);
}

int nvmlDeviceGetGraphicsRunningProcesses_v2(NvmlFakeDevice* device, unsigned* count, ProcessV2* entries) {
  return list({__func__, kNvmlFakeGraphics}, &NvmlFakeDevice::graphics, device, count, entries);
}

int nvmlDeviceGetGraphicsRunningProcesses_v3(NvmlFakeDevice* device, unsigned* count, void* entries) {
  return newest_list({__func__, kNvmlFakeGraphics}, &NvmlFakeDevice::graphics, device, count, entries);
}

int nvmlDeviceGetMPSComputeRunningProcesses(NvmlFakeDevice* device, unsigned* count, ProcessV1* entries) {
  return list({__func__, kNvmlFakeMps}, &NvmlFakeDevice::mps, device, count, entries);
}

int nvmlDeviceGetMPSComputeRunningProcesses_v2(NvmlFakeDevice* device, unsigned* count, ProcessV2* entries) {
  return list({__func__, kNvmlFakeMps}, &NvmlFakeDevice::mps, device, count, entries);
}

int nvmlDeviceGetMPSComputeRunningProcesses_v3(NvmlFakeDevice* device, unsigned* count, void* entries) {
  return newest_list({__func__, kNvmlFakeMps}, &NvmlFakeDevice::mps, device, count, entries);
}

int nvmlDeviceGetRunningProcessDetailList(NvmlFakeDevice* device, ProcessDetailList* target) {
  return answer({__func__, kNvmlFakeDetailList}, device,
                [&](NvmlFakeDevice& found) { return detail_list(found, target); });
}

int nvmlDeviceGetProcessUtilization(NvmlFakeDevice* device, ProcessUtilization* samples, unsigned* count,
                                    unsigned long long last_seen_us) {
  return answer({__func__, kNvmlFakeProcessUtilization}, device, [&](const NvmlFakeDevice& found) {
    const auto& state = driver().state;
    const bool is_instance = parent_of(state, static_cast<unsigned>(&found - state.devices)).has_value();
    if (found.mig_enabled != 0 || is_instance) return kNotSupported;
    return utilization(found, samples, count, last_seen_us);
  });
}

}  // extern "C"
