// All that is known when victims are ranked, as values.
#pragma once

#include <map>
#include <set>

#include "dualgpuopt/memory/metrics/reading.h"
#include "dualgpuopt/memory/processes/process_rights.h"

namespace dualgpuopt::memory {

/// The environment variable by which `gpumem run` marks what it starts: the PID of the process group's leader.
inline constexpr std::string_view kJobMarker = "GPUMEM_JOB";

/// One process as the kernel has it now.
struct VictimProcess {
  ProcessInfo info;
  std::string user;              ///< Login name of the owner, or the number.
  std::optional<pid_t> job;      ///< Of its job marker.
  bool may_use_mps = false;      ///< On another GPU: it has one open, this one's list lacks it, and the service runs.
  bool keeps_namespace = false;  ///< It is the first of a PID namespace that others are in: they would end with it.
};

/// Of one device at one moment.
struct VictimFacts {
  std::vector<ProcessMemory> listed;         ///< By the driver.
  std::map<pid_t, VictimProcess> processes;  ///< Those listed, and the members of groups that may be units.
  std::map<pid_t, std::string> unreadable;   ///< Listed ones that could not be read, with the reason.
  std::map<pid_t, std::string> off_device;   ///< Listed ones in which no GPU is seen to be open, with what is seen.
  std::map<pid_t, double> growth;            ///< Bytes a second, where it is known.
  std::optional<ProcessRights> rights;       ///< Ours; empty: not known, so nobody may be signalled.
  std::set<pid_t> family;                    ///< This process, its ancestors and all that came from it.
};

}  // namespace dualgpuopt::memory
