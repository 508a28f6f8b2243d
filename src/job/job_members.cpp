#include "job/job_members.h"

#include <algorithm>
#include <set>

namespace dualgpuopt::memory::job {

void JobMembers::exclude(pid_t pressure_command) {
  const auto leader = table_.read_brief(pressure_command);
  if (leader) excluded_[pressure_command] = leader->identity.start_ticks;
}

void JobMembers::forget_ended() {
  if (excluded_.empty()) return;
  std::set<pid_t> groups;
  for (const auto pid : table_.descendants(supervisor_)) {
    groups.insert(pid);
    if (const auto process = table_.read_brief(pid)) groups.insert(process->group);
  }
  std::erase_if(excluded_, [&](const auto& each) { return !groups.contains(each.first); });
}

/// By its number, and where it is still there by its start: another may have got the number.
bool JobMembers::is_excluded(pid_t leader) const {
  const auto found = excluded_.find(leader);
  if (found == excluded_.end()) return false;
  const auto process = table_.read_brief(leader);
  return !process || process->identity.start_ticks == found->second;
}

bool JobMembers::contains(pid_t pid) const {
  const auto process = table_.read_brief(pid);
  if (!process || is_excluded(pid) || is_excluded(process->group)) return false;
  const auto above = table_.ancestors(pid);
  const auto supervisor = std::find(above.begin(), above.end(), supervisor_);
  return supervisor != above.end() &&
         std::none_of(above.begin(), supervisor, [&](pid_t each) { return is_excluded(each); });
}

std::vector<ProcessTable::Brief> JobMembers::living_briefs() const {
  std::vector<ProcessTable::Brief> found;
  for (const auto pid : table_.descendants(supervisor_)) {
    auto process = table_.read_brief(pid);
    if (process && process->state == ProcessState::Alive && contains(pid)) found.push_back(std::move(*process));
  }
  return found;
}

std::vector<ProcessIdentity> JobMembers::living() const {
  std::vector<ProcessIdentity> found;
  for (const auto& process : living_briefs()) found.push_back(process.identity);
  return found;
}

std::vector<ProcessIdentity> JobMembers::outside_group() const {
  std::vector<ProcessIdentity> found;
  for (const auto& process : living_briefs()) {
    if (process.group != group_) found.push_back(process.identity);
  }
  return found;
}

}  // namespace dualgpuopt::memory::job
