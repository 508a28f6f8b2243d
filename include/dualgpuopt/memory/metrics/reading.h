// A reading: what a source said of one device's memory at one moment, or why it could not.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dualgpuopt/memory/core/clock.h"
#include "dualgpuopt/memory/core/units.h"
#include "dualgpuopt/memory/metrics/device_event.h"

namespace dualgpuopt::memory {

/// Where numbers come from. Only what a driver measured may be acted on.
enum class Provenance { Driver, Simulated, Replayed };
[[nodiscard]] std::string_view to_string(Provenance provenance);

/// Whether a device can be believed now: Stale is an old reading, Unavailable is none at all.
enum class DeviceStatus { Ok, Stale, Unavailable };
[[nodiscard]] std::string_view to_string(DeviceStatus status);

/// What `used` counts. Drivers with NVML's second memory ABI keep the driver's own reserve apart, older ones do not.
/// Estimate: the device shares the host's memory and its driver counts none; used is then the sum of its processes,
/// free what the host could still give away, and total both together, which changes from reading to reading.
enum class UsedMeaning { WithoutReserved, WithReserved, Estimate };
[[nodiscard]] std::string_view to_string(UsedMeaning meaning);

/// A device's memory: total = reserved + used + free where all are known and `used_meaning` is WithoutReserved.
struct MemoryUse {
  Bytes used = 0;
  std::optional<Bytes> total;
  std::optional<Bytes> free;
  std::optional<Bytes> reserved;
  UsedMeaning used_meaning = UsedMeaning::WithReserved;

  /// What counts against the capacity: total - free where the driver keeps its reserve apart, else used, which then
  /// contains the reserve. Not clamped: a recording with used above total stays above 100 %.
  [[nodiscard]] Bytes occupied() const {
    const bool apart = used_meaning == UsedMeaning::WithoutReserved && total && free && *total >= *free;
    return apart ? *total - *free : used;
  }
  /// 100 * occupied / total, so that 100 is reached when nothing is free; empty without a total, or with total 0.
  [[nodiscard]] std::optional<double> occupied_percent() const;

  /// With `used` and `total` as a recording has them: free is the rest, 0 when used exceeds total.
  [[nodiscard]] static MemoryUse from_used_and_total(Bytes used, std::optional<Bytes> total);

  friend bool operator==(const MemoryUse&, const MemoryUse&) = default;
};

/// Mps: computes through NVIDIA's Multi-Process Service.
enum class ProcessKind { Compute, Graphics, ComputeAndGraphics, Mps };
[[nodiscard]] std::string_view to_string(ProcessKind kind);

/// What became of a process that the driver lists. Drivers list some for a while after their end. Unseen: it runs in a
/// PID namespace that cannot be looked into from here, or the kernel hides it, so that its number means nothing here.
enum class ProcessPresence { Alive, Zombie, Gone, Unseen };
[[nodiscard]] std::string_view to_string(ProcessPresence presence);

/// The memory one process holds on one device. Only one that is Alive and has `start_ticks` may ever be signalled.
struct ProcessMemory {
  pid_t pid = 0;  ///< In our own PID namespace where that is known, else the driver's number.
  std::optional<std::uint64_t> start_ticks;  ///< Start time in clock ticks after boot, read when measured; with the
                                             ///< PID it names the process. Empty if the process cannot be seen.
  std::optional<Bytes> used;                 ///< Empty where the driver does not say (WSL, some virtual machines).
  ProcessKind kind = ProcessKind::Compute;
  std::string name;  ///< Command name, empty if the process cannot be seen.
  ProcessPresence presence = ProcessPresence::Unseen;
  std::optional<pid_t> driver_pid = {};  ///< The driver's number, which is the host's, where `pid` is another.

  friend bool operator==(const ProcessMemory&, const ProcessMemory&) = default;
};

/// A device's processes, read less often than its memory: `time` says when. `reason` tells why there are no entries
/// when the driver refused the list; it is empty when the list is good.
struct ProcessList {
  TimeStamp time;
  std::vector<ProcessMemory> entries;
  std::string reason;
  std::string used_reason = {};  ///< Why some entries have no `used`; empty when all have.

  /// Sum over the entries; empty if the list failed or any entry's use is not known.
  [[nodiscard]] std::optional<Bytes> attributed() const;

  friend bool operator==(const ProcessList&, const ProcessList&) = default;
};

/// What a reading is to contain. Memory is cheap (about 10 µs with NVML); the process list takes milliseconds and the
/// driver's lock.
enum class ReadDetail { Memory, MemoryAndProcesses };

/// One device at one moment. `memory` is engaged exactly when the source could read it, else `reason` says why not:
/// an unavailable device never has numbers.
struct Reading {
  int gpu = 0;
  TimeStamp time;
  Provenance provenance = Provenance::Driver;
  std::optional<MemoryUse> memory;
  std::string reason;
  std::shared_ptr<const ProcessList> processes;  ///< Null unless the source was asked for it.
  std::vector<DeviceEvent> events = {};          ///< What the driver reported since the last reading of this device.

  [[nodiscard]] bool ok() const { return memory.has_value(); }
  /// used minus what the processes hold; may be negative (shared pages), empty where not known.
  [[nodiscard]] std::optional<SignedBytes> unattributed() const;

  [[nodiscard]] static Reading unavailable(int gpu, TimeStamp time, Provenance provenance, std::string reason);
};

}  // namespace dualgpuopt::memory
