// What a scenario says, as values: devices, what happens on them, and faults. docs/nvml-stand-in.md has the format.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dualgpuopt/memory/core/error.h"
#include "dualgpuopt/memory/sources/scenario.h"
#include "fakes/nvml/nvml_fake.h"

namespace nvml_fake {

using dualgpuopt::memory::Bytes;
using dualgpuopt::memory::Duration;
using dualgpuopt::memory::Motion;
using dualgpuopt::memory::Result;

/// From `start` on, and before `stop`.
struct Span {
  Duration start{};
  std::optional<Duration> stop;

  [[nodiscard]] bool contains(Duration now) const { return now >= start && (!stop || now < *stop); }
  [[nodiscard]] bool overlaps(const Span& other) const {
    return (!stop || other.start < *stop) && (!other.stop || start < *other.stop);
  }
};

/// In which of the driver's lists a process is.
struct Lists {
  bool compute = true, graphics = false, mps = false;
};

enum class MemoryKnown { Yes, No };

struct Process {
  unsigned pid = 0;
  std::string name;
  Lists lists;
  Span span;
  MemoryKnown memory = MemoryKnown::Yes;
  std::vector<Motion> motions;
  bool real = false;   ///< It is there while this machine has a process of that PID,
  Duration lingers{};  ///< and its memory for so long after that one's end.
};

/// A GPU's used bytes, as recorded from one time on.
struct TracePoint {
  Duration at{};
  Bytes used = 0;
};

/// Memory with processes in it: a GPU, or a MIG instance.
struct Part {
  std::string name, uuid;
  Bytes total = 0, reserved = 0;
  std::vector<Motion> motions;  ///< Of memory that belongs to no process.
  std::vector<TracePoint> trace;
  std::vector<Process> processes;
};

struct Instance {
  Part part;
  unsigned slot = 0;
  unsigned gpu_instance = 0, compute_instance = 0;
  Span span;
};

enum class EventKind { Xid, EccSingle, EccDouble };

struct Event {
  Duration at{};
  EventKind kind = EventKind::Xid;
  std::uint64_t code = 0;
};

enum class GpuKind { Plain, Mig, Gb10, Wsl };

struct PciAddress {
  unsigned domain = 0, bus = 0, device = 0;
};

struct Gpu {
  GpuKind kind = GpuKind::Plain;
  Part part;
  PciAddress pci;
  bool accounting = false;
  bool ecc = false;
  NvmlFakeTelemetry telemetry{};
  std::vector<Instance> instances;
  std::vector<Event> events;
};

enum class FaultKind { Error, Hang, Lost, Absurd, Gone, Mismatch, SameHandle, ParentDenied };
enum class AbsurdValues { UsedAboveTotal, ZeroTotal, AllOnes };

struct Fault {
  FaultKind kind = FaultKind::Error;
  Span span;
  std::optional<unsigned> gpu;       ///< All if empty.
  std::optional<unsigned> instance;  ///< A slot; the GPU itself if empty.
  std::string call;                  ///< All that are about the device if empty.
  double probability = 1;
  int code = 0;
  int lookup = 0;                                      ///< What looking a lost GPU up returns.
  AbsurdValues values = AbsurdValues::UsedAboveTotal;  ///< Of memory calls that answer nonsense.
  std::string uuid;                                    ///< Of the instance that answers to the old one's handle.
};

struct Scenario {
  std::uint64_t seed = 1;
  std::string driver_version;
  std::map<std::string, Duration, std::less<>> latencies;  ///< By call.
  std::vector<Gpu> gpus;
  std::vector<Fault> faults;
};

/// Reads a scenario; files that it names are looked for in `folder`. Errors name line, column, key and what was
/// expected.
[[nodiscard]] Result<Scenario> read_scenario(std::string_view text, const std::filesystem::path& folder);

}  // namespace nvml_fake
