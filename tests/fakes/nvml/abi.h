// The structs of NVML's binary interface on 64-bit Linux, declared apart from those of src/ on purpose.
#pragma once

#include <cstddef>

namespace nvml_fake {

constexpr unsigned long long kNotAvailable = ~0ULL;
constexpr unsigned kNoInstance = ~0U;

/// The number by which a caller says which version of a struct it means.
constexpr unsigned version_of(std::size_t size, unsigned version) {
  return static_cast<unsigned>(size) | version << 24U;
}

struct MemoryV1 {
  unsigned long long total, free, used;
};
static_assert(sizeof(MemoryV1) == 24 && offsetof(MemoryV1, free) == 8 && offsetof(MemoryV1, used) == 16);

struct MemoryV2 {
  unsigned version;
  unsigned long long total, reserved, free, used;
};
static_assert(sizeof(MemoryV2) == 40 && offsetof(MemoryV2, total) == 8 && offsetof(MemoryV2, reserved) == 16);
static_assert(offsetof(MemoryV2, free) == 24 && offsetof(MemoryV2, used) == 32);
constexpr unsigned kMemoryV2Version = 0x02000028;
static_assert(version_of(sizeof(MemoryV2), 2) == kMemoryV2Version);

struct Bar1Memory {
  unsigned long long total, free, used;
};
static_assert(sizeof(Bar1Memory) == 24);

struct ConfComputeMemory {
  unsigned long long protected_kib, unprotected_kib;
};
static_assert(sizeof(ConfComputeMemory) == 16);

struct ProcessV1 {
  unsigned pid;
  unsigned long long used;
};
static_assert(sizeof(ProcessV1) == 16 && offsetof(ProcessV1, used) == 8);

/// Behind the suffixes _v2 and, except in R535's first releases, _v3.
struct ProcessV2 {
  unsigned pid;
  unsigned long long used;
  unsigned gpu_instance, compute_instance;
};
static_assert(sizeof(ProcessV2) == 24 && offsetof(ProcessV2, gpu_instance) == 16);
static_assert(offsetof(ProcessV2, compute_instance) == 20);

/// Behind _v3 in R535's first releases, and in the detail list.
struct ProcessDetail {
  unsigned pid;
  unsigned long long used;
  unsigned gpu_instance, compute_instance;
  unsigned long long protected_used;
};
static_assert(sizeof(ProcessDetail) == 32 && offsetof(ProcessDetail, protected_used) == 24);

struct ProcessDetailList {
  unsigned version, mode, count;
  ProcessDetail* entries;
};
static_assert(sizeof(ProcessDetailList) == 24 && offsetof(ProcessDetailList, entries) == 16);
constexpr unsigned kProcessDetailListVersion = 0x01000018;
static_assert(version_of(sizeof(ProcessDetailList), 1) == kProcessDetailListVersion);

struct PciInfo {
  char bus_id_legacy[16];
  unsigned domain, bus, device, pci_device_id, pci_subsystem_id;
  char bus_id[32];
};
static_assert(sizeof(PciInfo) == 68 && offsetof(PciInfo, domain) == 16 && offsetof(PciInfo, pci_subsystem_id) == 32);
static_assert(offsetof(PciInfo, bus_id) == 36);
/// The old form ends with four reserved numbers where the new one has its longer text.
constexpr std::size_t kOldPciInfoSize = 52;

struct ProcessUtilization {
  unsigned pid;
  unsigned long long time_us;
  unsigned sm, memory, encoder, decoder;
};
static_assert(sizeof(ProcessUtilization) == 32 && offsetof(ProcessUtilization, time_us) == 8);
static_assert(offsetof(ProcessUtilization, sm) == 16 && offsetof(ProcessUtilization, decoder) == 28);

struct AccountingStats {
  unsigned gpu_percent, memory_percent;
  unsigned long long most_memory, time_ms, start_us;
  unsigned running;
  unsigned reserved[5];
};
static_assert(sizeof(AccountingStats) == 56 && offsetof(AccountingStats, most_memory) == 8);
static_assert(offsetof(AccountingStats, start_us) == 24 && offsetof(AccountingStats, running) == 32);

/// nvmlEventSetWait writes the first 24 bytes, nvmlEventSetWait_v2 all.
struct EventData {
  void* device;
  unsigned long long type, data;
  unsigned gpu_instance, compute_instance;
};
static_assert(sizeof(EventData) == 32 && offsetof(EventData, type) == 8 && offsetof(EventData, data) == 16);
static_assert(offsetof(EventData, gpu_instance) == 24 && offsetof(EventData, compute_instance) == 28);
constexpr std::size_t kOldEventDataSize = 24;

constexpr unsigned long long kEventEccCorrected = 0x1, kEventEccUncorrected = 0x2, kEventXid = 0x8;

struct FieldValue {
  unsigned field, scope;
  long long time_us, latency_us;
  unsigned type;
  int code;
  unsigned long long value;
};
static_assert(sizeof(FieldValue) == 40 && offsetof(FieldValue, time_us) == 8 && offsetof(FieldValue, type) == 24);
static_assert(offsetof(FieldValue, code) == 28 && offsetof(FieldValue, value) == 32);

struct Utilization {
  unsigned gpu, memory;
};
static_assert(sizeof(Utilization) == 8);

struct TemperatureV1 {
  unsigned version, sensor;
  int temperature;
};
static_assert(sizeof(TemperatureV1) == 12);

}  // namespace nvml_fake
