#include "job/job_members.h"

#include <algorithm>

namespace dualgpuopt::memory::job {

bool JobMembers::contains(pid_t pid) const {
  const auto process = table_.read_brief(pid);
  if (!process || excluded_.contains(pid) || excluded_.contains(process->group)) return false;
  const auto above = table_.ancestors(pid);
  const auto supervisor = std::find(above.begin(), above.end(), supervisor_);
  return supervisor != above.end() &&
         std::none_of(above.begin(), supervisor, [&](pid_t each) { return excluded_.contains(each); });
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
