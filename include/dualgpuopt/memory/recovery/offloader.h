// The rung that offloads: what applications register is moved to the host when memory runs out, and back when it lasts.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dualgpuopt/memory/processes/host_memory.h"
#include "dualgpuopt/memory/recovery/offload_ledger.h"
#include "dualgpuopt/memory/recovery/offloadable.h"
#include "dualgpuopt/memory/recovery/strategy.h"

namespace dualgpuopt::memory {

/// One object that was moved, or could not be.
struct OffloadMove {
  enum class Direction { ToHost, ToDevice };
  std::string name;
  int gpu = 0;
  Bytes bytes = 0;
  Direction direction = Direction::ToHost;
  std::string problem{};  ///< Empty: it succeeded.
};

/// Holds one registration; ends it when destroyed. Ending waits for calls of the object that run on other threads, so
/// hold no lock that the object takes; not from within such a call itself. Afterwards the object is not called again:
/// it stays where it is, on the device or on the host. Movable; one owner.
class [[nodiscard]] OffloadRegistration {
 public:
  OffloadRegistration() = default;
  OffloadRegistration(OffloadRegistration&&) noexcept = default;
  OffloadRegistration& operator=(OffloadRegistration&& other) noexcept;
  ~OffloadRegistration() { cancel(); }
  void cancel();

  /// Names the object among Offloader::objects(); 0 once it is cancelled.
  [[nodiscard]] OffloadId id() const { return state_ ? id_ : 0; }

 private:
  friend class Offloader;
  OffloadRegistration(std::shared_ptr<class OffloaderState> state, OffloadId id) : state_(std::move(state)), id_(id) {}

  std::shared_ptr<class OffloaderState> state_;
  OffloadId id_ = 0;
};

/// While it lives, an object is on its device and stays there. Movable; one owner, on any thread.
class [[nodiscard]] OffloadUse {
 public:
  OffloadUse(OffloadUse&&) noexcept = default;
  OffloadUse& operator=(OffloadUse&&) = delete;
  ~OffloadUse();

 private:
  friend class Offloader;
  OffloadUse(std::shared_ptr<class OffloaderState> state, OffloadId id) : state_(std::move(state)), id_(id) {}

  std::shared_ptr<class OffloaderState> state_;
  OffloadId id_ = 0;
};

/// While one lives, nothing uses the objects that wait for safe points: the rung may move them on its own thread. Its
/// end waits for those that are being moved. Movable; one owner.
class [[nodiscard]] SafeRegion {
 public:
  SafeRegion(SafeRegion&&) noexcept = default;
  SafeRegion& operator=(SafeRegion&&) = delete;
  ~SafeRegion();

 private:
  friend class Offloader;
  explicit SafeRegion(std::shared_ptr<class OffloaderState> state) : state_(std::move(state)) {}

  std::shared_ptr<class OffloaderState> state_;
};

/// Registry and rung. Thread-safe; no lock is held while an object is called. Runs no thread of its own.
///
/// An object of OffloadTiming::AtSafePoint is asked for and then moved by the application itself, in safe_point() or
/// while a SafeRegion lives; the rung waits for that up to its deadline, and then takes the wish back.
///
///     Offloader offloader(clock);  // the monitor's
///     const auto encoder = offloader.add(model.encoder, OffloadTiming::AtSafePoint);
///     monitor->register_strategy(RecoveryStrategy::Offload, offloader.strategy());
///     OffloadFollower follower(*monitor, offloader);  // brings back what fits again
///     while (training) { step(); offloader.safe_point(); }
class Offloader {
 public:
  using HostRoomReader = std::function<Result<HostRoom>()>;

  /// `config` must be valid. Without a known room on the host nothing is offloaded: a host that runs out ends the whole
  /// process, and perhaps others. `host_room` is called on the threads that offload, one call at a time a device.
  explicit Offloader(
      std::shared_ptr<const Clock> clock, const OffloadConfig& config = {},
      HostRoomReader host_room = [] { return read_host_room(); });
  /// Strategies, registrations, uses and regions outlive it safely.
  ~Offloader();

  /// Asks the object what it is and takes it up. It must be on its device. Never twice the same.
  OffloadRegistration add(Offloadable& object, OffloadTiming timing = OffloadTiming::AtOnce);

  /// For MemoryMonitor::register_strategy(); shares what it needs, so it may outlive this.
  [[nodiscard]] RecoveryCallback strategy() const;

  /// The rung: offloads the least valuable objects of a device (choose_to_offload()) until they have given back
  /// `bytes_to_free` by their own sizes, or the time is up, in real time as for every rung. One that fails is passed
  /// over and recorded. It succeeds when that much was given back. A second call for a device fails while one runs.
  [[nodiscard]] StrategyAnswer offload(const RecoveryRequest& request);

  /// Brings at most one object back, on this thread, if this state of its device allows it (OffloadLedger); one that
  /// waits for a safe point is moved there instead, unless a later call has taken that back or the state is no longer
  /// fresh. Call it for each device and new reading, never on a thread that must not wait. Empty: nothing was moved.
  std::optional<OffloadMove> on_state(const DeviceState& state);

  /// Here nothing uses the objects that wait for safe points: moves those that are asked for, on this thread.
  std::vector<OffloadMove> safe_point();
  [[nodiscard]] SafeRegion safe_region();

  /// Brings the object back if it is away, whatever the policy says, on this thread, and keeps it from leaving. Waits
  /// while it is being moved. Errors: of its restore, or NotFound. Not from within its own calls.
  [[nodiscard]] Result<OffloadUse> use(OffloadId id);
  [[nodiscard]] Result<OffloadUse> use(const OffloadRegistration& registration) { return use(registration.id()); }

  /// All objects, by age.
  [[nodiscard]] std::vector<OffloadEntry> objects() const;
  [[nodiscard]] std::optional<OffloadEntry> find(OffloadId id) const;

 private:
  std::shared_ptr<class OffloaderState> state_;
};

}  // namespace dualgpuopt::memory
