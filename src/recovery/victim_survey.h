// Looks at the processes that a driver lists, so that they can be ranked.
#pragma once

#include "dualgpuopt/memory/recovery/process_port.h"
#include "dualgpuopt/memory/recovery/victim_facts.h"
#include "dualgpuopt/memory/recovery/victim_policy.h"

namespace dualgpuopt::memory {

/// All that the kernel says of the processes in the reading's list, and of their groups where those may be units. For a
/// reading that is no driver's nobody is looked at: its numbers name nothing on this machine.
[[nodiscard]] VictimFacts survey_victims(const Reading& reading, const VictimPolicy& policy, ProcessPort& processes);

/// Bytes a second that processes took between two lists, by PID; for those that are in both, with the same start time.
[[nodiscard]] std::map<pid_t, double> growth_between(const ProcessList& first, const ProcessList& second);

/// Why it is not seen that a process uses a GPU; empty if it is.
[[nodiscard]] std::string obstacle_to_device_files(pid_t pid, ProcessPort& processes);

}  // namespace dualgpuopt::memory
