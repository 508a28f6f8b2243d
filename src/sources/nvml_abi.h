// NVML's binary interface on 64-bit Linux, as far as we call it: our own declarations, so that neither NVIDIA's header
// nor its library is needed to build. Sizes and offsets are checked, since nothing else would notice a mistake.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace dualgpuopt::memory::nvml {

/// What every call returns. A driver may return numbers that are not listed here.
enum class Code : std::int32_t {
  Success = 0,
  Uninitialized = 1,
  InvalidArgument = 2,
  NotSupported = 3,
  NoPermission = 4,
  AlreadyInitialized = 5,
  NotFound = 6,
  InsufficientSize = 7,
  InsufficientPower = 8,
  DriverNotLoaded = 9,
  Timeout = 10,
  IrqIssue = 11,
  LibraryNotFound = 12,
  FunctionNotFound = 13,  ///< Also given for a struct version that the driver does not know.
  CorruptedInforom = 14,
  GpuIsLost = 15,
  ResetRequired = 16,
  OperatingSystem = 17,
  VersionMismatch = 18,  ///< Of this library and the kernel module.
  InUse = 19,
  Memory = 20,
  NoData = 21,
  VgpuEcc = 22,
  InsufficientResources = 23,
  FrequencyNotSupported = 24,
  ArgumentVersionMismatch = 25,
  Deprecated = 26,
  NotReady = 27,
  GpuNotFound = 28,
  InvalidState = 29,
  ResetTypeNotSupported = 30,
  Unknown = 999,
};

/// A GPU or MIG instance as the library knows it; never looked into.
using Handle = struct OpaqueDevice*;

/// In 64-bit fields: the driver does not know.
inline constexpr std::uint64_t kNotAvailable = ~std::uint64_t{0};
/// In gpu_instance and compute_instance: the process runs on no MIG instance.
inline constexpr std::uint32_t kNoInstance = 0xFFFFFFFF;
/// The current MIG mode of a partitioned GPU.
inline constexpr unsigned kMigEnabled = 1;
/// The longest text that any of the calls below writes, with its NUL.
inline constexpr std::size_t kLongestText = 96;

/// nvmlDeviceGetMemoryInfo. `used` contains what the driver reserves for itself: used + free = total.
struct MemoryV1 {
  std::uint64_t total = 0;
  std::uint64_t free = 0;
  std::uint64_t used = 0;
};
static_assert(sizeof(MemoryV1) == 24 && offsetof(MemoryV1, free) == 8 && offsetof(MemoryV1, used) == 16);

/// nvmlDeviceGetMemoryInfo_v2: total = reserved + used + free. The caller says which version it means.
struct MemoryV2 {
  std::uint32_t version = 0x0200'0028;  // the struct's size, and its number in the top byte
  std::uint64_t total = 0;
  std::uint64_t reserved = 0;
  std::uint64_t free = 0;
  std::uint64_t used = 0;
};
static_assert(sizeof(MemoryV2) == 40 && offsetof(MemoryV2, total) == 8 && offsetof(MemoryV2, reserved) == 16 &&
              offsetof(MemoryV2, free) == 24 && offsetof(MemoryV2, used) == 32);
static_assert(MemoryV2{}.version == (sizeof(MemoryV2) | 2U << 24U));

/// An entry of the process lists whose symbols have no suffix.
struct ProcessV1 {
  std::uint32_t pid = 0;
  std::uint64_t used = 0;  ///< Or kNotAvailable.
};
static_assert(sizeof(ProcessV1) == 16 && offsetof(ProcessV1, used) == 8);

/// An entry of the process lists _v2 and _v3, except in drivers from 535.43 to before 535.86: their _v3 has entries of
/// 32 bytes, which nothing in the interface tells; there we ask for _v2.
struct ProcessV2 {
  std::uint32_t pid = 0;
  std::uint64_t used = 0;  ///< Or kNotAvailable.
  std::uint32_t gpu_instance = kNoInstance;
  std::uint32_t compute_instance = kNoInstance;
};
static_assert(sizeof(ProcessV2) == 24 && offsetof(ProcessV2, used) == 8 && offsetof(ProcessV2, gpu_instance) == 16 &&
              offsetof(ProcessV2, compute_instance) == 20);

/// nvmlDeviceGetPciInfo_v3; the older calls write the first 36 bytes alike.
struct PciInfo {
  std::array<char, 16> bus_id_legacy{};
  std::uint32_t domain = 0;
  std::uint32_t bus = 0;
  std::uint32_t device = 0;
  std::uint32_t pci_device_id = 0;
  std::uint32_t pci_subsystem_id = 0;
  std::array<char, 32> bus_id{};
};
static_assert(sizeof(PciInfo) == 68 && offsetof(PciInfo, domain) == 16 && offsetof(PciInfo, bus) == 20 &&
              offsetof(PciInfo, device) == 24 && offsetof(PciInfo, bus_id) == 36);

/// A set of events that are waited for; never looked into.
using EventSet = struct OpaqueEventSet*;

/// The kinds of events, as bits.
inline constexpr unsigned long long kEventEccCorrected = 0x1;
inline constexpr unsigned long long kEventEccUncorrected = 0x2;
inline constexpr unsigned long long kEventXid = 0x8;

/// nvmlEventSetWait_v2.
struct EventData {
  Handle device = nullptr;
  std::uint64_t type = 0;
  std::uint64_t data = 0;  ///< The number of an Xid.
  std::uint32_t gpu_instance = kNoInstance;
  std::uint32_t compute_instance = kNoInstance;
};
static_assert(sizeof(EventData) == 32 && offsetof(EventData, type) == 8 && offsetof(EventData, data) == 16 &&
              offsetof(EventData, gpu_instance) == 24 && offsetof(EventData, compute_instance) == 28);

// The calls, by their shape.
using InitFunction = Code (*)();
using InitWithFlagsFunction = Code (*)(unsigned flags);
using ErrorStringFunction = const char* (*)(Code code);
using CountFunction = Code (*)(unsigned* count);
using HandleByIndexFunction = Code (*)(unsigned index, Handle* device);
using HandleByTextFunction = Code (*)(const char* text, Handle* device);
using SystemTextFunction = Code (*)(char* text, unsigned length);
using TextFunction = Code (*)(Handle device, char* text, unsigned length);
using PciInfoFunction = Code (*)(Handle device, PciInfo* info);
using MemoryV1Function = Code (*)(Handle device, MemoryV1* memory);
using MemoryV2Function = Code (*)(Handle device, MemoryV2* memory);
using ProcessesFunction = Code (*)(Handle device, unsigned* count, void* entries);
using MigModeFunction = Code (*)(Handle device, unsigned* current, unsigned* pending);
using MigCountFunction = Code (*)(Handle device, unsigned* count);
using MigHandleFunction = Code (*)(Handle device, unsigned index, Handle* instance);
using EventSetCreateFunction = Code (*)(EventSet* set);
using EventSetFreeFunction = Code (*)(EventSet set);
using RegisterEventsFunction = Code (*)(Handle device, unsigned long long types, EventSet set);
using EventSetWaitFunction = Code (*)(EventSet set, EventData* data, unsigned timeout_ms);

}  // namespace dualgpuopt::memory::nvml
