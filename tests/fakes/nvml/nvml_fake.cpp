// The stand-in itself. NVML_FAKE_GENERATION says which driver's functions it has:
//   3  R510 and later: everything
//   2  R470: no second memory call, process lists up to _v2
//   1  before R450: no MIG, no suffixes at all
// Built as three libraries, since a function that is missing cannot be imitated by one that is there.
#include "fakes/nvml/nvml_fake.h"

#include <pthread.h>

#include <cstdio>
#include <cstring>

namespace {

using Code = int;
constexpr Code kSuccess = 0, kUninitialized = 1, kInvalidArgument = 2, kNotSupported = 3, kNotFound = 6,
               kInsufficientSize = 7, kFunctionNotFound = 13;

NvmlFakeState g_state;
pthread_mutex_t g_mutex = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t g_changed = PTHREAD_COND_INITIALIZER;

struct Lock {
  Lock() { pthread_mutex_lock(&g_mutex); }
  ~Lock() { pthread_mutex_unlock(&g_mutex); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
};

/// Waits while `hang` is set; the lock is given up meanwhile.
void wait_while(const int& hang) {
  ++g_state.hanging;
  while (hang != 0) pthread_cond_wait(&g_changed, &g_mutex);
  --g_state.hanging;
}

/// What every call does first: counts, and fails if it is to, or if nobody has initialised the library.
Code begin(NvmlFakeCall call) {
  ++g_state.calls[call];
  if (g_state.forced[call] != kSuccess) return g_state.forced[call];
  return g_state.initialised > 0 ? kSuccess : kUninitialized;
}

/// The same for calls about a device. Handles are addresses of devices.
Code begin(NvmlFakeCall call, NvmlFakeDevice* device) {
  if (const Code code = begin(call); code != kSuccess) return code;
  if (device < g_state.devices || device >= g_state.devices + kNvmlFakeDevices) return kInvalidArgument;
  wait_while(device->hang);
  return device->forced[call];
}

Code copy_text(const char* source, char* target, unsigned length) {
  if (target == nullptr) return kInvalidArgument;
  if (std::strlen(source) >= length) return kInsufficientSize;
  std::strcpy(target, source);
  return kSuccess;
}

/// The protocol of the lists: the caller says how much room there is, and is told how much it takes.
template <typename Entry>
Code list(NvmlFakeCall call, NvmlFakeDevice* device, unsigned* count, Entry* entries) {
  const Lock lock;
  if (const Code code = begin(call, device); code != kSuccess) return code;
  auto& source = call == kNvmlFakeCompute ? device->compute : device->graphics;
  if (count == nullptr) return kInvalidArgument;
  if (*count < source.count) {
    *count = source.count;
    source.count += source.grows_by;
    return kInsufficientSize;
  }
  *count = source.count;
  if (source.count > 0 && entries == nullptr) return kInvalidArgument;
  // The old entry is the beginning of the new one.
  for (unsigned i = 0; i < source.count; ++i) {
    std::memcpy(&entries[i], &source.processes[i % kNvmlFakeProcesses], sizeof(Entry));
  }
  return kSuccess;
}

}  // namespace

extern "C" {

struct FakeMemoryV1 {
  unsigned long long total, free, used;
};
struct FakeMemoryV2 {
  unsigned version;
  unsigned long long total, reserved, free, used;
};
struct FakeProcessV1 {
  unsigned pid;
  unsigned long long used;
};
struct FakePciInfo {
  char bus_id_legacy[16];
  unsigned domain, bus, device, pci_device_id, pci_subsystem_id;
  char bus_id[32];
};

void nvml_fake_control(void (*change)(NvmlFakeState* state, void* context), void* context) {
  const Lock lock;
  change(&g_state, context);
  pthread_cond_broadcast(&g_changed);
}

Code nvmlInit() {
  const Lock lock;
  ++g_state.calls[kNvmlFakeInit];
  wait_while(g_state.hang);
  if (g_state.forced[kNvmlFakeInit] != kSuccess) return g_state.forced[kNvmlFakeInit];
  ++g_state.initialised;
  return kSuccess;
}

Code nvmlShutdown() {
  const Lock lock;
  if (const Code code = begin(kNvmlFakeShutdown); code != kSuccess) return code;
  --g_state.initialised;
  return kSuccess;
}

const char* nvmlErrorString(Code code) {
  const Lock lock;
  ++g_state.calls[kNvmlFakeErrorString];
  switch (code) {
    case 2: return "Invalid Argument";
    case 3: return "Not Supported";
    case 4: return "Insufficient Permissions";
    case 9: return "Driver Not Loaded";
    case 13: return "Function Not Found";
    case 15: return "GPU is lost";
    case 18: return "RM has detected an NVML/RM version mismatch.";
    default: return "Unknown Error";
  }
}

Code nvmlDeviceGetCount(unsigned* count) {
  const Lock lock;
  if (const Code code = begin(kNvmlFakeCount); code != kSuccess) return code;
  *count = g_state.gpus;
  return kSuccess;
}

Code nvmlDeviceGetHandleByIndex(unsigned index, NvmlFakeDevice** device) {
  const Lock lock;
  if (const Code code = begin(kNvmlFakeHandleByIndex); code != kSuccess) return code;
  if (index >= g_state.gpus) return kInvalidArgument;
  auto* found = &g_state.devices[index];
  wait_while(found->hang);
  if (found->forced[kNvmlFakeHandleByIndex] != kSuccess) return found->forced[kNvmlFakeHandleByIndex];
  *device = found;
  return kSuccess;
}

Code nvmlDeviceGetName(NvmlFakeDevice* device, char* name, unsigned length) {
  const Lock lock;
  const Code code = begin(kNvmlFakeName, device);
  return code != kSuccess ? code : copy_text(device->name, name, length);
}

Code nvmlDeviceGetUUID(NvmlFakeDevice* device, char* uuid, unsigned length) {
  const Lock lock;
  if (const Code code = begin(kNvmlFakeUuid, device); code != kSuccess) return code;
  return device->uuid[0] == '\0' ? kNotSupported : copy_text(device->uuid, uuid, length);
}

Code nvmlDeviceGetMemoryInfo(NvmlFakeDevice* device, FakeMemoryV1* memory) {
  const Lock lock;
  if (const Code code = begin(kNvmlFakeMemoryV1, device); code != kSuccess) return code;
  *memory = {device->total, device->free, device->used + device->reserved};
  return kSuccess;
}

/// The first 52 bytes are all that the old form has.
Code nvmlDeviceGetPciInfo(NvmlFakeDevice* device, FakePciInfo* info) {
  const Lock lock;
  if (const Code code = begin(kNvmlFakePciInfo, device); code != kSuccess) return code;
  std::memset(info, 0, 52);
  info->domain = device->pci_domain;
  info->bus = device->pci_bus;
  info->device = device->pci_device;
  return kSuccess;
}

Code nvmlDeviceGetComputeRunningProcesses(NvmlFakeDevice* device, unsigned* count, FakeProcessV1* entries) {
  return list(kNvmlFakeCompute, device, count, entries);
}

Code nvmlDeviceGetGraphicsRunningProcesses(NvmlFakeDevice* device, unsigned* count, FakeProcessV1* entries) {
  return list(kNvmlFakeGraphics, device, count, entries);
}

#if NVML_FAKE_GENERATION >= 2
Code nvmlInit_v2() { return nvmlInit(); }

Code nvmlInitWithFlags(unsigned flags) { return flags > 7 ? kInvalidArgument : nvmlInit(); }

Code nvmlDeviceGetCount_v2(unsigned* count) { return nvmlDeviceGetCount(count); }

Code nvmlDeviceGetHandleByIndex_v2(unsigned index, NvmlFakeDevice** device) {
  return nvmlDeviceGetHandleByIndex(index, device);
}

Code nvmlDeviceGetPciInfo_v3(NvmlFakeDevice* device, FakePciInfo* info) {
  const Code code = nvmlDeviceGetPciInfo(device, info);
  if (code != kSuccess) return code;
  std::snprintf(info->bus_id, sizeof(info->bus_id), "%08X:%02X:%02X.0", info->domain, info->bus, info->device);
  return kSuccess;
}

Code nvmlDeviceGetComputeRunningProcesses_v2(NvmlFakeDevice* device, unsigned* count, NvmlFakeProcess* entries) {
  return list(kNvmlFakeCompute, device, count, entries);
}

Code nvmlDeviceGetGraphicsRunningProcesses_v2(NvmlFakeDevice* device, unsigned* count, NvmlFakeProcess* entries) {
  return list(kNvmlFakeGraphics, device, count, entries);
}

Code nvmlDeviceGetMigMode(NvmlFakeDevice* device, unsigned* current, unsigned* pending) {
  const Lock lock;
  if (const Code code = begin(kNvmlFakeMigMode, device); code != kSuccess) return code;
  if (device->mig_capable == 0) return kNotSupported;
  *current = *pending = static_cast<unsigned>(device->mig_enabled);
  return kSuccess;
}

Code nvmlDeviceGetMaxMigDeviceCount(NvmlFakeDevice* device, unsigned* count) {
  const Lock lock;
  if (const Code code = begin(kNvmlFakeMigCount, device); code != kSuccess) return code;
  *count = device->mig_enabled != 0 ? kNvmlFakeMigSlots : 0;
  return kSuccess;
}

Code nvmlDeviceGetMigDeviceHandleByIndex(NvmlFakeDevice* device, unsigned slot, NvmlFakeDevice** instance) {
  const Lock lock;
  if (const Code code = begin(kNvmlFakeMigHandle, device); code != kSuccess) return code;
  if (slot >= kNvmlFakeMigSlots) return kInvalidArgument;
  if (device->mig_slots[slot] == 0) return kNotFound;
  *instance = &g_state.devices[device->mig_slots[slot]];
  return kSuccess;
}
#endif

#if NVML_FAKE_GENERATION >= 3
Code nvmlDeviceGetMemoryInfo_v2(NvmlFakeDevice* device, FakeMemoryV2* memory) {
  const Lock lock;
  if (const Code code = begin(kNvmlFakeMemoryV2, device); code != kSuccess) return code;
  if (memory->version != 0x02000028) return kFunctionNotFound;
  *memory = {memory->version, device->total, device->reserved, device->free, device->used};
  return kSuccess;
}

Code nvmlDeviceGetComputeRunningProcesses_v3(NvmlFakeDevice* device, unsigned* count, NvmlFakeProcess* entries) {
  return list(kNvmlFakeCompute, device, count, entries);
}

Code nvmlDeviceGetGraphicsRunningProcesses_v3(NvmlFakeDevice* device, unsigned* count, NvmlFakeProcess* entries) {
  return list(kNvmlFakeGraphics, device, count, entries);
}
#endif

}  // extern "C"
