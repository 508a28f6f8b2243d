// Which processes belong to a job.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "dualgpuopt/memory/processes/process_table.h"

namespace dualgpuopt::memory::job {

/// Everything that descends from the supervisor, pressure commands aside. The supervisor is the reaper of its
/// descendants (PR_SET_CHILD_SUBREAPER), so that one whose parent has ended stays its descendant, whatever session it
/// moved to. Not seen: what another service starts for the job (docker run, systemd-run, srun, at), and what a process
/// of the job adopts that is such a reaper itself while that one is not the job's.
class JobMembers {
 public:
  /// `group` is the job's process group.
  JobMembers(ProcessTable table, pid_t supervisor, pid_t group)
      : table_(std::move(table)), supervisor_(supervisor), group_(group) {}

  /// A pressure command was started, in a process group of its own. Until that group has ended its number is nobody
  /// else's.
  void exclude(pid_t pressure_command);
  /// Lets the numbers of those go whose groups have ended. Costs one file of /proc for each descendant.
  void forget_ended();

  /// Costs one file of /proc for each process up to the supervisor.
  [[nodiscard]] bool contains(pid_t pid) const;
  /// Those that have not ended.
  [[nodiscard]] std::vector<ProcessIdentity> living() const;
  /// Of those, the ones that left the group.
  [[nodiscard]] std::vector<ProcessIdentity> outside_group() const;

 private:
  [[nodiscard]] std::vector<ProcessTable::Brief> living_briefs() const;
  [[nodiscard]] bool is_excluded(pid_t leader) const;

  ProcessTable table_;
  pid_t supervisor_;
  pid_t group_;
  std::map<pid_t, std::uint64_t> excluded_;  // leaders of pressure commands, and when they started
};

}  // namespace dualgpuopt::memory::job
