// Whom nobody may end, rule by rule. Pure.
#pragma once

#include <string>

#include "dualgpuopt/memory/recovery/victim_facts.h"
#include "dualgpuopt/memory/recovery/victim_policy.h"

namespace dualgpuopt::memory {

/// Why the process may not be ended, whatever it holds; empty if it may.
[[nodiscard]] std::string obstacle_to_ending(const VictimProcess& process, const VictimFacts& facts,
                                             const VictimPolicy& policy);

/// Why a process that the driver lists may not be ended; empty if it may. What it holds must be known, but may be less
/// than the policy's minimum.
[[nodiscard]] std::string obstacle_to_ending(const ProcessMemory& listed, const VictimFacts& facts,
                                             const VictimPolicy& policy);

}  // namespace dualgpuopt::memory
