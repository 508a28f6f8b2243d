// What an Offloader, its strategies and everything that it hands out share.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "dualgpuopt/memory/core/mutex.h"
#include "dualgpuopt/memory/recovery/offloader.h"
#include "recovery/offload_course.h"
#include "recovery/offload_roster.h"

namespace dualgpuopt::memory {

/// The shell around the ledger. Contracts as Offloader's. Thread-safe; its lock is never held in user code.
class OffloaderState {
 public:
  OffloaderState(std::shared_ptr<const Clock> clock, const OffloadConfig& config, Offloader::HostRoomReader host_room)
      : clock_(std::move(clock)), host_room_(std::move(host_room)), reserve_(config.host_reserve), ledger_(config) {}

  OffloadId add(Offloadable& object, OffloadTiming timing);
  void remove(OffloadId id);
  StrategyAnswer offload(const RecoveryRequest& request);
  std::optional<OffloadMove> on_state(const DeviceState& state);
  std::vector<OffloadMove> safe_point();
  void begin_safe_region();
  void end_safe_region();
  Result<void> begin_use(OffloadId id);
  void end_use(OffloadId id);
  [[nodiscard]] std::vector<OffloadEntry> objects() const;
  [[nodiscard]] std::optional<OffloadEntry> find(OffloadId id) const;

 private:
  /// A rung that runs. `account` lives on its thread, until leave().
  struct Course {
    OffloadCourse* account = nullptr;
    std::stop_token stop;
  };
  using SteadyTime = std::chrono::steady_clock::time_point;
  enum class Step { Moved, Waited, Over };

  bool enter(const RecoveryRequest& request, OffloadCourse& course);
  void leave(int gpu);
  Step advance(const RecoveryRequest& request, OffloadCourse& course, SteadyTime deadline);
  [[nodiscard]] std::optional<HostRoom> room_above_reserve(OffloadCourse& course) const;
  void ask_objects(int gpu);
  std::optional<OffloadId> choose(int gpu, OffloadCourse& course, const HostRoom& room) DUALGPUOPT_REQUIRES(mutex_);
  [[nodiscard]] bool is_under_way(int gpu) const DUALGPUOPT_REQUIRES(mutex_);
  [[nodiscard]] bool is_waiting_for_safe_point(OffloadId id) const DUALGPUOPT_REQUIRES(mutex_);
  [[nodiscard]] bool deferred_ones_move() const DUALGPUOPT_REQUIRES(mutex_);
  std::vector<OffloadId> forget_wishes(int gpu) DUALGPUOPT_REQUIRES(mutex_);
  std::optional<OffloadId> take_wish() DUALGPUOPT_EXCLUDES(mutex_);
  std::optional<OffloadId> take_return() DUALGPUOPT_EXCLUDES(mutex_);
  OffloadMove move_to_host(OffloadId id);
  Bytes bytes_left(OffloadId id);
  OffloadMove move_to_device(OffloadId id);
  [[nodiscard]] OffloadMove begin_move(OffloadId id, OffloadMove::Direction direction) const;
  void note_offload(OffloadId id, const OffloadMove& move, Bytes given_back);
  void note_restore(OffloadId id, const OffloadMove& move);

  const std::shared_ptr<const Clock> clock_;
  const Offloader::HostRoomReader host_room_;
  const Bytes reserve_;
  OffloadRoster roster_;
  mutable Mutex mutex_;
  Condition changed_;
  OffloadLedger ledger_ DUALGPUOPT_GUARDED_BY(mutex_);
  std::map<int, Course> courses_ DUALGPUOPT_GUARDED_BY(mutex_);       // one a device
  std::vector<OffloadId> wishes_ DUALGPUOPT_GUARDED_BY(mutex_);       // what is to leave at a safe point
  std::map<int, DeviceState> returns_ DUALGPUOPT_GUARDED_BY(mutex_);  // devices where something may come back at one
  unsigned safe_regions_ DUALGPUOPT_GUARDED_BY(mutex_) = 0;
};

}  // namespace dualgpuopt::memory
