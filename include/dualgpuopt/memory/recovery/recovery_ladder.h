// The ladder at work: registered strategies, cooldowns, and the climbing itself.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <stop_token>

#include "dualgpuopt/memory/core/clock.h"
#include "dualgpuopt/memory/core/mutex.h"
#include "dualgpuopt/memory/metrics/memory_port.h"
#include "dualgpuopt/memory/recovery/climb.h"

namespace dualgpuopt::memory {

/// Owns the strategies and climbs. Thread-safe; climb() is called by one worker at a time.
class RecoveryLadder {
 public:
  /// `config` must be valid.
  explicit RecoveryLadder(LadderConfig config);

  /// One a kind, the last wins; an empty callback removes it.
  void register_strategy(RecoveryStrategy strategy, RecoveryCallback callback);

  /// Whether a climb is due: the level is at or above the trigger and the device's cooldown is over.
  [[nodiscard]] bool is_due(int gpu, Level level, MonoTime now) const;

  /// Climbs to the end: measures through `port`, runs each strategy on a thread of its own with the rung's time limit,
  /// lets time pass with `clock`. A strategy that does not return in time is abandoned (its thread is left to itself)
  /// and counts as Busy until it returns. Starts the device's cooldown.
  [[nodiscard]] Decision climb(const ClimbEvidence& evidence, MemoryPort& port, Clock& clock,
                               const std::stop_token& stop);

  [[nodiscard]] const LadderConfig& config() const { return config_; }

 private:
  LadderConfig config_;
  // (helper: strategies, cooldowns and busy marks, guarded by a Mutex)
};

}  // namespace dualgpuopt::memory
