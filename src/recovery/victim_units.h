// Which processes on a device would be ended together. Pure.
#pragma once

#include <optional>
#include <vector>

#include "dualgpuopt/memory/recovery/victim_facts.h"
#include "dualgpuopt/memory/recovery/victim_policy.h"

namespace dualgpuopt::memory {

/// `group` is empty for a process alone.
struct UnitOfVictims {
  std::optional<pid_t> group;
  std::vector<const ProcessMemory*> listed;   ///< Never empty.
  std::vector<const VictimProcess*> members;  ///< All that are alive; without `group` the one, if it can be read.
  bool is_job = false;                        ///< `gpumem run` made the group.
};

/// The group that may be a unit, and to which the process belongs; empty if it stands alone. Of `process` as the table
/// has it.
[[nodiscard]] std::optional<pid_t> group_of(const VictimProcess& process, const VictimPolicy& policy);

/// In the order of the list. They refer to `facts`.
[[nodiscard]] std::vector<UnitOfVictims> units_of(const VictimFacts& facts, const VictimPolicy& policy);

}  // namespace dualgpuopt::memory
