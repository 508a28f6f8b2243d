// What an application can move from a device to the host and back: a model, an optimizer's state, a cache.
#pragma once

#include <optional>
#include <stop_token>
#include <string>

#include "dualgpuopt/memory/core/clock.h"
#include "dualgpuopt/memory/core/error.h"
#include "dualgpuopt/memory/core/units.h"

namespace dualgpuopt::memory {

/// One thing that is moved as a whole. It must live until its OffloadRegistration has ended.
///
/// Threads: calls come one at a time for moves, but name() to last_use() may be called from several threads, also while
/// one of them moves it. No lock is held meanwhile. What may throw counts as an error with the exception's text.
class Offloadable {
 public:
  virtual ~Offloadable() = default;

  /// For records: "encoder".
  [[nodiscard]] virtual std::string name() const = 0;
  /// The device's index in this run; asked once.
  [[nodiscard]] virtual int gpu() const = 0;
  /// What moving it would give back now; 0 while it is on the host.
  [[nodiscard]] virtual Bytes bytes_on_device() const = 0;
  /// The higher, the longer it stays. Finite.
  [[nodiscard]] virtual double priority() const { return 0; }
  /// On the Offloader's clock; empty: not known.
  [[nodiscard]] virtual std::optional<MonoTime> last_use() const { return std::nullopt; }

  /// Moves it to the host. On success the driver has the memory back when it returns: caches of its allocator are
  /// emptied, and copies are over. On failure it is on the device, as usable as before. A requested stop means that
  /// nobody waits any more: it should fail soon, but may go on.
  [[nodiscard]] virtual Result<void> offload(const std::stop_token& stop) = 0;
  /// Moves it back to the same device. On failure it is on the host, whole, and will be tried again later.
  [[nodiscard]] virtual Result<void> restore(const std::stop_token& stop) = 0;
};

}  // namespace dualgpuopt::memory
