// Recovery that somebody asked for: the terminate rung alone, one victim after another, as a decision.
#pragma once

#include "dualgpuopt/memory/metrics/decision.h"
#include "dualgpuopt/memory/recovery/terminator.h"

namespace dualgpuopt::memory {

/// What was asked for.
struct ReliefRequest {
  int gpu = 0;
  Level level = Level::Normal;  ///< Of the device at that moment.
  Reading evidence;             ///< Readable, with a known total.
  Bytes target_used = 0;
  std::stop_token stop = {};
};

/// Lets `terminator` work until the target is reached, and records it: one rung for each victim that was begun with, or
/// one that would have run, with its candidates. Does not ask for an emergency: that is for a monitor, which acts by
/// itself. The decision's id is 1.
[[nodiscard]] Decision relieve(Terminator& terminator, const ReliefRequest& request, const Clock& clock);

/// The record of what a Terminator reports. Pure.
[[nodiscard]] Decision decision_of(const TerminateReport& report, const ReliefRequest& request, ActionMode mode,
                                   TimeStamp started, Duration took);

}  // namespace dualgpuopt::memory
