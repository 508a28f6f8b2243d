// From what is known of the processes on a device to those that may be ended, in their order. Pure.
#pragma once

#include <vector>

#include "dualgpuopt/memory/metrics/decision.h"
#include "dualgpuopt/memory/recovery/victim_facts.h"
#include "dualgpuopt/memory/recovery/victim_policy.h"

namespace dualgpuopt::memory {

/// A process or a group on the device. `candidate.score` counts from 1, the last choice, up; empty: it may not be
/// ended, and then there are no members.
struct RankedVictim {
  Candidate candidate;
  std::vector<ProcessIdentity> members;  ///< Who would be signalled.
  std::vector<ProcessIdentity> holders;  ///< Of the unit, whether it may be ended or not: whom the driver lists.
  Bytes bytes = 0;                       ///< That they hold together.

  [[nodiscard]] bool may_be_ended() const { return !members.empty(); }
};

/// The first choice first, and behind them those that may not be ended, the largest first. Never in it as members: this
/// process and its family, PID 1, kernel threads, zombies, processes of users that we may not signal, of PID namespaces
/// that cannot be looked into, clients of the Multi-Process Service, whoever keeps others' namespace, and whom the
/// policy excludes or protects; a group in which one of them is, or, where `gpumem run` made it, one without its
/// marker.
[[nodiscard]] std::vector<RankedVictim> rank_victims(const VictimFacts& facts, const VictimPolicy& policy);

}  // namespace dualgpuopt::memory
