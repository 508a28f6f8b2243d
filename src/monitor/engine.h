// All devices of a monitor, without threads: readings in, alerts and snapshots out.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "dualgpuopt/memory/monitor/snapshot_board.h"
#include "dualgpuopt/memory/recovery/climb.h"
#include "monitor/device_directory.h"
#include "monitor/device_track.h"

namespace dualgpuopt::memory {

/// What one reading calls for.
struct EngineEvent {
  int gpu = 0;
  std::optional<MemoryAlert> alert;
  std::optional<ClimbEvidence> climb;  ///< The level, or a forecast, calls for one.
};

/// Belongs to one thread; board(), directory() and set_recovery_time() may be used by any.
class Engine {
 public:
  /// `config` must be valid and outlive the engine.
  Engine(const std::vector<Device>& devices, Provenance provenance, const MonitorConfig& config);

  /// Takes a reading in. Empty when it was no news; an event may also ask for nothing.
  [[nodiscard]] std::optional<EngineEvent> take(Reading reading);
  /// What the source lists now: devices that are new are watched from here on, others described as they are now. One
  /// that it lists no more stays.
  void set_devices(const std::vector<Device>& devices);
  /// The source does not answer for this device: why. Empty text takes it back.
  void set_silence(int gpu, std::string reason);
  /// How long a climb takes by now (RecoveryLadder::recovery_time).
  void set_recovery_time(Duration time) { recovery_time_ = time; }
  /// Publishes what is known at `now`; a device without a reading for 2.5 intervals is stale.
  std::shared_ptr<const Snapshot> publish(TimeStamp now, Duration interval);

  [[nodiscard]] const std::deque<DeviceTrack>& tracks() const { return tracks_; }
  /// Whether no device failed when it was last asked.
  [[nodiscard]] bool all_can_be_read() const;
  [[nodiscard]] const DeviceDirectory& directory() const { return directory_; }
  [[nodiscard]] const std::shared_ptr<SnapshotBoard>& board() const { return board_; }

 private:
  [[nodiscard]] DeviceTrack* find(int gpu);
  [[nodiscard]] std::optional<ClimbCause> cause_to_climb(const DeviceTrack& track) const;

  const MonitorConfig& config_;
  Provenance provenance_;
  pid_t self_;                      // whose strategies a climb runs
  std::deque<DeviceTrack> tracks_;  // a deque: tracks do not move
  DeviceDirectory directory_;
  std::shared_ptr<SnapshotBoard> board_ = std::make_shared<SnapshotBoard>();
  std::atomic<Duration> recovery_time_;
  std::uint64_t sequence_ = 0;
};

}  // namespace dualgpuopt::memory
