#include "recovery/victim_rules.h"

#include <algorithm>

#include "core/format.h"

namespace dualgpuopt::memory {
namespace {

constexpr pid_t kInit = 1;

bool names(const std::vector<std::string>& users, const VictimProcess& process) {
  const auto number = std::to_string(process.info.owner);
  return std::any_of(users.begin(), users.end(),
                     [&](const auto& user) { return user == process.user || user == number; });
}

std::string obstacle_by_kind(const VictimProcess& process, const VictimFacts& facts) {
  const auto& info = process.info;
  if (info.identity.pid <= kInit) return "PID 1 is never ended";
  if (facts.family.contains(info.identity.pid)) return "it is this process, an ancestor of it, or came from it";
  if (info.is_kernel_thread) return "it is a kernel thread";
  if (info.state != ProcessState::Alive) return "it has ended already: a zombie that its parent has not looked at";
  if (process.keeps_namespace) return "it is the first process of a container in which there are others";
  return {};
}

std::string obstacle_by_rights(const VictimProcess& process, const VictimFacts& facts) {
  if (!facts.rights) return "our own rights are not known";
  if (!facts.rights->may_signal(process.info.owner)) {
    return format_text("it belongs to {}, and we may signal our own processes only", process.user);
  }
  if (!process.info.pid_namespace) return "its PID namespace cannot be looked at";
  return {};
}

std::string obstacle_by_policy(const VictimProcess& process, const VictimPolicy& policy) {
  if (const auto glob = protecting_glob(process.info, policy); !glob.empty()) {
    return format_text("it is protected, by \"{}\"", glob);
  }
  if (names(policy.never_users, process)) return format_text("processes of {} are never ended", process.user);
  if (!policy.only_users.empty() && !names(policy.only_users, process)) {
    return format_text("it belongs to {}, who is not one of those whose processes may be ended", process.user);
  }
  return {};
}

bool is_asked_for(const VictimProcess& process, const VictimPolicy& policy) {
  return policy.only.empty() || std::any_of(policy.only.begin(), policy.only.end(), [&](const auto& pattern) {
           return matches(pattern, process.info, process.user);
         });
}

std::string obstacle_by_presence(const ProcessMemory& listed) {
  switch (listed.presence) {
    case ProcessPresence::Alive: return listed.start_ticks ? "" : "when it started is not known";
    case ProcessPresence::Zombie: return "it has ended already: a zombie that its parent has not looked at";
    case ProcessPresence::Gone: return "it has ended already; the driver still lists it";
    case ProcessPresence::Unseen: return "it cannot be seen from here, so its number may be another's";
  }
  return "what became of it is not known";
}

std::string obstacle_by_identity(const ProcessMemory& listed, const VictimFacts& facts) {
  const auto found = facts.processes.find(listed.pid);
  if (found != facts.processes.end()) {
    const bool is_same = found->second.info.identity.start_ticks == *listed.start_ticks;
    return is_same ? "" : "its PID belongs to another process now";
  }
  const auto why = facts.unreadable.find(listed.pid);
  return why == facts.unreadable.end() ? "nothing is known of it" : why->second;
}

}  // namespace

std::string obstacle_to_ending(const VictimProcess& process, const VictimFacts& facts, const VictimPolicy& policy) {
  if (auto obstacle = obstacle_by_kind(process, facts); !obstacle.empty()) return obstacle;
  if (auto obstacle = obstacle_by_rights(process, facts); !obstacle.empty()) return obstacle;
  return obstacle_by_policy(process, policy);
}

std::string obstacle_to_ending(const ProcessMemory& listed, const VictimFacts& facts, const VictimPolicy& policy) {
  if (auto obstacle = obstacle_by_presence(listed); !obstacle.empty()) return obstacle;
  if (auto obstacle = obstacle_by_identity(listed, facts); !obstacle.empty()) return obstacle;
  if (!listed.used) return "the driver does not say what it holds";
  if (listed.kind == ProcessKind::Mps) return "it computes through the Multi-Process Service, which its end could harm";
  const auto& process = facts.processes.at(listed.pid);
  if (auto obstacle = obstacle_to_ending(process, facts, policy); !obstacle.empty()) return obstacle;
  if (!is_asked_for(process, policy)) return "it is not one of those that were asked for";
  const auto off_device = facts.off_device.find(listed.pid);
  return off_device == facts.off_device.end() ? "" : off_device->second;
}

}  // namespace dualgpuopt::memory
