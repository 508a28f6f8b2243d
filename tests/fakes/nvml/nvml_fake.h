// A stand-in for NVIDIA's library, without a GPU: it answers from a plain struct that a test sets. Its interface is
// declared here a second time, apart from src/, so that a mistake there does not cancel itself out.
#pragma once

enum {
  kNvmlFakeDevices = 16,
  kNvmlFakeMigSlots = 8,
  kNvmlFakeProcesses = 256,
  kNvmlFakeText = 96,
};

/// The calls, whatever the suffix of the name under which they came.
enum NvmlFakeCall {
  kNvmlFakeInit,
  kNvmlFakeShutdown,
  kNvmlFakeErrorString,
  kNvmlFakeCount,
  kNvmlFakeHandleByIndex,
  kNvmlFakeName,
  kNvmlFakeUuid,
  kNvmlFakePciInfo,
  kNvmlFakeMemoryV1,
  kNvmlFakeMemoryV2,
  kNvmlFakeCompute,
  kNvmlFakeGraphics,
  kNvmlFakeMigMode,
  kNvmlFakeMigCount,
  kNvmlFakeMigHandle,
  kNvmlFakeCalls,
};

struct NvmlFakeProcess {
  unsigned pid;
  unsigned long long used;
  unsigned gpu_instance;
  unsigned compute_instance;
};

struct NvmlFakeList {
  unsigned count;
  unsigned grows_by;  ///< Processes that appear after each answer that the space was too small.
  NvmlFakeProcess processes[kNvmlFakeProcesses];
};

/// A GPU or a MIG instance.
struct NvmlFakeDevice {
  char name[kNvmlFakeText];
  char uuid[kNvmlFakeText];  ///< Empty: the call says that it is not supported.
  unsigned pci_domain, pci_bus, pci_device;
  unsigned long long total, reserved, used,
      free;  ///< As the second memory call gives them; the first adds reserved to used.
  NvmlFakeList compute, graphics;
  int mig_capable, mig_enabled;
  unsigned mig_slots[kNvmlFakeMigSlots];  ///< Index into the devices, 0 for an empty slot.
  int hang;                               ///< While set, calls about this device do not return.
  int forced[kNvmlFakeCalls];             ///< A code to return instead of the answer; 0 for none.
};

struct NvmlFakeState {
  unsigned gpus;  ///< How many of the devices are GPUs, from the first on; MIG instances come after them.
  NvmlFakeDevice devices[kNvmlFakeDevices];
  int forced[kNvmlFakeCalls];
  int hang;         ///< While set, initialising does not return.
  int initialised;  ///< How many times more nvmlInit than nvmlShutdown was called.
  int hanging;      ///< Calls that do not return now.
  unsigned calls[kNvmlFakeCalls];
};

/// Runs `change` on the state while no call does, and lets calls that hang look again. The one way to the state.
using NvmlFakeControl = void (*)(void (*change)(NvmlFakeState* state, void* context), void* context);
inline constexpr auto kNvmlFakeControl = "nvml_fake_control";
