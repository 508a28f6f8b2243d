// A stand-in for NVIDIA's library, without a GPU: it answers from a plain struct that a test sets, or that a scenario
// sets before each call (docs/nvml-stand-in.md). Its interface is declared here a second time, apart from src/, so that
// a mistake there does not cancel itself out.
#pragma once

enum {
  kNvmlFakeDevices = 72,
  kNvmlFakeMigSlots = 8,
  kNvmlFakeProcesses = 256,
  kNvmlFakeText = 96,
  kNvmlFakeEvents = 64,
  kNvmlFakeAccounts = 64,
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
  kNvmlFakeMps,
  kNvmlFakeDriverVersion,
  kNvmlFakeHandleByUuid,
  kNvmlFakeHandleByPci,
  kNvmlFakeMigParent,
  kNvmlFakeGpuInstance,
  kNvmlFakeComputeInstance,
  kNvmlFakeEventSetCreate,
  kNvmlFakeEventSetFree,
  kNvmlFakeRegisterEvents,
  kNvmlFakeEventWait,
  kNvmlFakeEccErrors,
  kNvmlFakeFieldValues,
  kNvmlFakeAccountingMode,
  kNvmlFakeAccountingPids,
  kNvmlFakeAccountingStats,
  kNvmlFakeProcessUtilization,
  kNvmlFakeDetailList,
  kNvmlFakeTelemetry,  ///< What is only printed: temperature, power, clocks, utilisation, PCIe and the like.
  kNvmlFakeSystem,     ///< Versions other than the driver's, names of processes.
  kNvmlFakeCalls,
};

/// What kind of GPU it is, where that decides what can be known.
enum NvmlFakeKind {
  kNvmlFakePlain,
  kNvmlFakeGb10,  ///< Shares the host's memory: no memory of its own to tell of, but that of processes.
  kNvmlFakeWsl,   ///< Under WSL: no memory of single processes.
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

/// What accounting keeps of a process, also after its end.
struct NvmlFakeAccount {
  unsigned pid;
  unsigned gpu_percent, memory_percent;
  unsigned long long most_memory;
  unsigned long long time_ms;   ///< 0 while it runs.
  unsigned long long start_us;  ///< By the world's clock.
  int running;
};

/// What clients print.
struct NvmlFakeTelemetry {
  unsigned temperature;         ///< In °C.
  unsigned power, power_limit;  ///< In mW.
  unsigned gpu_percent, memory_percent, fan_percent;
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
  NvmlFakeList mps;
  int kind;                                 ///< An NvmlFakeKind.
  unsigned mig_slot_count;                  ///< How many slots there may be at most; 0 for all of them.
  unsigned gpu_instance, compute_instance;  ///< Of a MIG instance.
  int stale;                                ///< An instance that was destroyed: its handle means nothing any more.
  int gone;                                 ///< A GPU that is not counted any more; those after it move up.
  int ecc_enabled;
  unsigned long long ecc_corrected, ecc_uncorrected;
  int accounting;  ///< Enabled.
  unsigned account_count;
  NvmlFakeAccount accounts[kNvmlFakeAccounts];
  NvmlFakeTelemetry telemetry;
};

/// What the driver tells those who wait for events.
struct NvmlFakeEvent {
  unsigned device;          ///< Index into the devices.
  unsigned long long type;  ///< 0x1 ECC corrected, 0x2 ECC not corrected, 0x8 Xid.
  unsigned long long data;  ///< The number of an Xid.
  unsigned gpu_instance, compute_instance;
};

struct NvmlFakeState {
  unsigned gpus;  ///< How many of the devices are GPUs, from the first on; MIG instances come after them.
  NvmlFakeDevice devices[kNvmlFakeDevices];
  int forced[kNvmlFakeCalls];
  int hang;         ///< While set, initialising does not return.
  int initialised;  ///< How many times more nvmlInit than nvmlShutdown was called.
  int hanging;      ///< Calls that do not return now.
  unsigned calls[kNvmlFakeCalls];
  char driver_version[kNvmlFakeText];  ///< Empty: the generation's own.
  int v1_without_reserved;  ///< The first memory call as before R510: the reserved memory is in neither used nor total.
  unsigned event_count;     ///< How many events there have been; the last of them lie in `events`, at number % size.
  NvmlFakeEvent events[kNvmlFakeEvents];
};

/// Runs `change` on the state while no call does, and lets calls that hang look again. The one way to the state.
using NvmlFakeControl = void (*)(void (*change)(NvmlFakeState* state, void* context), void* context);
inline constexpr auto kNvmlFakeControl = "nvml_fake_control";

/// Lets a scenario set the state from now on; null takes the scenario away and leaves no GPUs. Returns null, or what is
/// wrong with the text, which is good until the next call of this function. A wrong text changes nothing.
using NvmlFakeLoad = const char* (*)(const char* toml);
inline constexpr auto kNvmlFakeLoad = "nvml_fake_load";

/// Time by this clock, in nanoseconds from the scenario's start; null brings the real time back. Under such a clock a
/// call that hangs returns when the clock has passed the end of the fault, and latencies are none.
using NvmlFakeUseClock = void (*)(long long (*now_ns)(void* context), void* context);
inline constexpr auto kNvmlFakeUseClock = "nvml_fake_use_clock";

/// How often an exported function was called, by its exact name; 0 for a name that is none.
using NvmlFakeCallsOf = unsigned (*)(const char* symbol);
inline constexpr auto kNvmlFakeCallsOf = "nvml_fake_calls_of";
