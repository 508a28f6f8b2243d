#include "recovery/victim_units.h"

#include <algorithm>

namespace dualgpuopt::memory {
namespace {

bool is_of_job(const VictimProcess& process) { return process.job && *process.job == process.info.group; }

const VictimProcess* find_process(const VictimFacts& facts, pid_t pid) {
  const auto found = facts.processes.find(pid);
  return found == facts.processes.end() ? nullptr : &found->second;
}

/// Zombies have ended: there is nothing left of them to end.
std::vector<const VictimProcess*> living_members(const VictimFacts& facts, pid_t group) {
  std::vector<const VictimProcess*> members;
  for (const auto& [pid, process] : facts.processes) {
    if (process.info.group == group && process.info.state == ProcessState::Alive) members.push_back(&process);
  }
  return members;
}

UnitOfVictims alone(const ProcessMemory& listed, const VictimProcess* process) {
  UnitOfVictims unit{std::nullopt, {&listed}, {}, false};
  if (process != nullptr) unit.members.push_back(process);
  return unit;
}

}  // namespace

std::optional<pid_t> group_of(const VictimProcess& process, const VictimPolicy& policy) {
  if (policy.unit == VictimUnit::Single || process.info.group <= 0) return std::nullopt;
  const bool is_named = std::any_of(policy.groups.begin(), policy.groups.end(),
                                    [&](const auto& pattern) { return matches(pattern, process.info, process.user); });
  return is_named || is_of_job(process) ? std::optional(process.info.group) : std::nullopt;
}

std::vector<UnitOfVictims> units_of(const VictimFacts& facts, const VictimPolicy& policy) {
  std::vector<UnitOfVictims> units;
  for (const auto& listed : facts.listed) {
    const auto* process = find_process(facts, listed.pid);
    const auto group = process == nullptr ? std::nullopt : group_of(*process, policy);
    const auto known =
        std::find_if(units.begin(), units.end(), [&](const auto& unit) { return group && unit.group == group; });
    if (!group) {
      units.push_back(alone(listed, process));
    } else if (known != units.end()) {
      known->listed.push_back(&listed);
      known->is_job = known->is_job || is_of_job(*process);
    } else {
      units.push_back({group, {&listed}, living_members(facts, *group), is_of_job(*process)});
    }
  }
  return units;
}

}  // namespace dualgpuopt::memory
