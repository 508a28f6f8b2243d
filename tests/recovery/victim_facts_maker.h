// Facts about processes, as the pure tests of ranking need them: all of alice's, who we are.
#pragma once

#include "dualgpuopt/memory/recovery/victim_facts.h"

namespace dualgpuopt::memory::testing {

class FactsMaker {
 public:
  FactsMaker() { facts.rights = ProcessRights{1000, false}; }

  /// A process that the driver lists, started with its PID.
  VictimProcess& list(pid_t pid, std::optional<Bytes> used, std::string name = "python") {
    facts.listed.push_back(
        {pid, static_cast<std::uint64_t>(pid), used, ProcessKind::Compute, name, ProcessPresence::Alive});
    return know(pid, std::move(name));
  }
  /// One that it does not.
  VictimProcess& know(pid_t pid, std::string name) {
    auto& process = facts.processes[pid];
    process.user = "alice";
    process.info.identity = {pid, static_cast<std::uint64_t>(pid)};
    process.info.owner = 1000;
    process.info.group = pid;
    process.info.name = std::move(name);
    process.info.pid_namespace = 4026531836U;
    return process;
  }

  VictimFacts facts;
};

}  // namespace dualgpuopt::memory::testing
