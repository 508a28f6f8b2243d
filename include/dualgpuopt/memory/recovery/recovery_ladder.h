// The ladder at work: registered strategies, cooldowns, and the climbing itself.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <stop_token>

#include "dualgpuopt/memory/core/clock.h"
#include "dualgpuopt/memory/core/mutex.h"
#include "dualgpuopt/memory/metrics/memory_port.h"
#include "dualgpuopt/memory/recovery/climb.h"
#include "dualgpuopt/memory/recovery/rung_budget.h"
#include "dualgpuopt/memory/recovery/rung_times.h"

namespace dualgpuopt::memory {

class StrategyRunner;

/// Owns the strategies and climbs. Thread-safe; climb() is called by one worker at a time. No lock is held while user
/// code runs, which includes copying and destroying callbacks, so register_strategy() and is_due() wait for nobody.
class RecoveryLadder {
 public:
  /// `config` must be valid.
  explicit RecoveryLadder(LadderConfig config);
  /// Does not wait for abandoned callbacks.
  ~RecoveryLadder();

  /// One a kind, the last wins; an empty callback removes it. May be called at any time, also from within a callback; a
  /// call that is running goes on, and a climb that is under way uses what is registered when it gets to the rung.
  void register_strategy(RecoveryStrategy strategy, RecoveryCallback callback);

  /// Whether a climb is due: the level is at or above the trigger, or a forecast is the cause and there is a rung to
  /// recover with; and the device's cooldown is over and not every rung rests (RungBudget), or the level is higher than
  /// the one that the last climb started from: what gets worse is not left waiting.
  [[nodiscard]] bool is_due(const ClimbEvidence& evidence, MonoTime now) const;

  /// How long a climb of the registered rungs takes by now, of all configured ones where none is registered; without
  /// Terminate.
  [[nodiscard]] Duration recovery_time() const;

  /// Climbs to the end: measures through `port`, runs each strategy on a thread of its own with the rung's time limit,
  /// lets time pass with `clock`. A strategy that does not return in time is abandoned (its thread is left to itself)
  /// and counts as Busy until it returns. Starts the device's cooldown, however the climb ended. A stop ends the climb
  /// at once: it waits for no callback, only for a measurement that is under way.
  [[nodiscard]] Decision climb(const ClimbEvidence& evidence, MemoryPort& port, Clock& clock,
                               const std::stop_token& stop);

  [[nodiscard]] const LadderConfig& config() const { return config_; }

 private:
  /// Shared, so that only the pointer is copied while the lock is held.
  using SharedCallback = std::shared_ptr<const RecoveryCallback>;

  struct Cooldown {
    MonoTime end;
    Level level = Level::Normal;  ///< That the climb before it started from.
  };

  [[nodiscard]] std::set<RecoveryStrategy> registered() const;
  [[nodiscard]] bool calls_for_climb(const ClimbEvidence& evidence) const;
  [[nodiscard]] bool every_rung_rests(int gpu, MonoTime now) const DUALGPUOPT_REQUIRES(mutex_);
  [[nodiscard]] RestingRungs resting(int gpu, MonoTime now) const;
  [[nodiscard]] SharedCallback find(RecoveryStrategy strategy) const;
  [[nodiscard]] std::uint64_t take_id();
  [[nodiscard]] StrategyOutcome run(const RecoveryRequest& request, const std::stop_token& stop);
  void note_end(const Decision& decision, MonoTime now);

  const LadderConfig config_;
  const std::unique_ptr<StrategyRunner> runner_;
  mutable Mutex mutex_;
  std::map<RecoveryStrategy, SharedCallback> strategies_ DUALGPUOPT_GUARDED_BY(mutex_);
  std::map<int, Cooldown> cooldowns_ DUALGPUOPT_GUARDED_BY(mutex_);
  RungTimes times_ DUALGPUOPT_GUARDED_BY(mutex_);
  RungBudget budget_ DUALGPUOPT_GUARDED_BY(mutex_);
  std::uint64_t last_id_ DUALGPUOPT_GUARDED_BY(mutex_) = 0;
};

}  // namespace dualgpuopt::memory
