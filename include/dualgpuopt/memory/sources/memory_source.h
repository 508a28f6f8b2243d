// The seam to the outside world: where readings come from.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "dualgpuopt/memory/core/error.h"
#include "dualgpuopt/memory/metrics/device.h"
#include "dualgpuopt/memory/metrics/reading.h"

namespace dualgpuopt::memory {

/// A laptop's GPU sleeps while nobody uses it. LeaveAsleep: it is listed by its PCI address, with a reason instead of
/// numbers, until something else wakes it up.
enum class WakePolicy { LeaveAsleep, Wake };

/// How to treat a driver.
struct SourceSettings {
  WakePolicy wake = WakePolicy::LeaveAsleep;
  /// A device that takes longer to say who it is, by the machine's own clock, is listed with that as the reason.
  Duration patience = std::chrono::seconds(5);
};

/// A driver, a recording or a simulation. Contract:
/// - calls come one at a time, though not always from the same thread; only while a call hangs may others overlap it,
///   except that a device whose read() hangs is not read again;
/// - a device that cannot be read is a Reading with its reason, never an exception or an invented number;
/// - readings are stamped with the clock that the source was made with, a replayed one with its own recorded time;
/// - a call may block as long as the driver does: callers that cannot wait use a supervised reader.
class MemorySource {
 public:
  virtual ~MemorySource() = default;

  /// "nvml", "sim", "trace": as in --source.
  [[nodiscard]] virtual std::string_view name() const = 0;
  [[nodiscard]] virtual Provenance provenance() const = 0;
  /// The devices of this run, in the order of their index; calling it again looks again. Error: the source as a whole
  /// gives no answer.
  [[nodiscard]] virtual Result<std::vector<Device>> enumerate() = 0;
  /// Closes what is open at the driver, so that a GPU can be reset, repartitioned or unbound; until the next
  /// enumerate(), which opens it again, every reading is unavailable. Error (Unavailable): a call that hangs keeps it
  /// open. Sources that hold nothing open have nothing to do.
  [[nodiscard]] virtual Result<void> release() { return {}; }
  /// `gpu` is an index that the last enumerate() gave; any other is answered with an unavailable reading.
  [[nodiscard]] virtual Reading read(int gpu, ReadDetail detail) = 0;
};

}  // namespace dualgpuopt::memory
