// Everything the terminate rung can be told.
#pragma once

#include "dualgpuopt/memory/metrics/decision.h"
#include "dualgpuopt/memory/recovery/victim_policy.h"

namespace dualgpuopt::memory {

/// Off until `enabled`, and a dry run until `mode` says otherwise.
struct TerminatePolicy {
  bool enabled = false;
  ActionMode mode = ActionMode::DryRun;
  VictimPolicy victims;
  Duration grace = std::chrono::seconds(5);  ///< Between TERM and KILL.
  /// After the last signal: for the exit, and then for the driver to give the memory back. At most kLongestWait.
  Duration wait = std::chrono::seconds(30);
  /// Run by /bin/sh before TERM, as to save work, with GPUMEM_GPU, GPUMEM_PID and GPUMEM_BYTES; empty: none. Its exit
  /// code is recorded and changes nothing.
  std::string pre_hook;
  Duration pre_hook_limit = std::chrono::seconds(5);  ///< Then it is ended, in real time whatever the clock.
  Duration growth_window = std::chrono::seconds(1);   ///< Between the two looks of VictimOrder::FastestGrowing.

  static constexpr Duration kLongestWait = std::chrono::seconds(30);
  static constexpr Duration kLongestGrace = std::chrono::hours(1);

  /// The most that one victim takes, from the first look to its memory.
  [[nodiscard]] Duration longest_victim() const;
  /// InvalidArgument with the setting, its value and what it must be.
  [[nodiscard]] Result<void> validate() const;
};

}  // namespace dualgpuopt::memory
