#include "recovery/victim_survey.h"

#include <algorithm>
#include <charconv>

#include "core/format.h"
#include "recovery/victim_units.h"

namespace dualgpuopt::memory {
namespace {

std::optional<pid_t> to_pid(const std::string& text) {
  pid_t pid = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, pid);
  return problem == std::errc{} && stop == end && pid > 0 ? std::optional(pid) : std::nullopt;
}

std::optional<pid_t> job_of(pid_t pid, ProcessPort& processes) {
  const auto value = processes.environment_value(pid, kJobMarker);
  return value && *value ? to_pid(**value) : std::nullopt;
}

/// A process with all that is asked of it. The markers belong to groups alone, and are not read without need.
Result<VictimProcess> look_at(pid_t pid, VictimUnit unit, ProcessPort& processes) {
  auto info = processes.read(pid);
  if (!info) return fail(std::move(info.error()));
  VictimProcess process;
  process.user = processes.user_name(info->owner);
  if (unit == VictimUnit::Group) process.job = job_of(pid, processes);
  process.keeps_namespace = processes.keeps_namespace(*info);
  process.info = std::move(*info);
  return process;
}

void add_listed(VictimFacts& facts, const VictimPolicy& policy, ProcessPort& processes) {
  for (const auto& listed : facts.listed) {
    if (listed.presence != ProcessPresence::Alive) continue;
    auto process = look_at(listed.pid, policy.unit, processes);
    if (!process) {
      facts.unreadable.emplace(listed.pid, process.error().describe());
      continue;
    }
    facts.processes.emplace(listed.pid, std::move(*process));
    if (auto obstacle = obstacle_to_device_files(listed.pid, processes); !obstacle.empty()) {
      facts.off_device.emplace(listed.pid, std::move(obstacle));
    }
  }
}

/// Clients of the service are told by each GPU's own list: of a member that this one's lacks it is not known.
bool may_use_a_gpu(pid_t pid, ProcessPort& processes) {
  const auto files = processes.gpu_device_files(pid);
  return !files || !files->empty();
}

/// Of every group that may be a unit all members. One that cannot be read is put down as what nobody may end.
void add_members(VictimFacts& facts, const VictimPolicy& policy, ProcessPort& processes) {
  std::set<pid_t> groups;
  for (const auto& [pid, process] : facts.processes) {
    if (const auto group = group_of(process, policy)) groups.insert(*group);
  }
  const bool serves_mps = !groups.empty() && processes.serves_mps();
  for (const auto group : groups) {
    for (const auto pid : processes.group_members(group)) {
      if (facts.processes.contains(pid)) continue;
      auto process = look_at(pid, policy.unit, processes);
      if (process) {
        process->may_use_mps = serves_mps && may_use_a_gpu(pid, processes);
        facts.processes.emplace(pid, std::move(*process));
      } else if (process.error().code() != ErrorCode::NotFound) {
        VictimProcess unknown;
        unknown.info.identity.pid = pid;
        unknown.info.group = group;
        facts.processes.emplace(pid, std::move(unknown));  // without a PID namespace, which is an obstacle
      }
    }
  }
}

}  // namespace

VictimFacts survey_victims(const Reading& reading, const VictimPolicy& policy, ProcessPort& processes) {
  VictimFacts facts;
  if (reading.processes) facts.listed = reading.processes->entries;
  if (reading.provenance != Provenance::Driver) {
    for (const auto& listed : facts.listed) {
      facts.unreadable.emplace(listed.pid, format_text("the reading is {}: its number names no process of this machine",
                                                       to_string(reading.provenance)));
    }
    return facts;
  }
  if (const auto rights = processes.rights()) facts.rights = *rights;
  add_listed(facts, policy, processes);
  add_members(facts, policy, processes);
  facts.family = processes.family();  // last: what was forked meanwhile is in it
  return facts;
}

std::map<pid_t, double> growth_between(const ProcessList& first, const ProcessList& second) {
  std::map<pid_t, double> growth;
  const auto seconds = Seconds(second.time.mono - first.time.mono).count();
  if (seconds <= 0) return growth;
  for (const auto& now : second.entries) {
    const auto before = std::find_if(first.entries.begin(), first.entries.end(), [&](const ProcessMemory& entry) {
      return entry.pid == now.pid && entry.start_ticks && entry.start_ticks == now.start_ticks;
    });
    if (before == first.entries.end() || !before->used || !now.used) continue;
    growth[now.pid] = static_cast<double>(difference(*now.used, *before->used)) / seconds;
  }
  return growth;
}

std::string obstacle_to_device_files(pid_t pid, ProcessPort& processes) {
  const auto files = processes.gpu_device_files(pid);
  if (!files) return "whether it uses a GPU cannot be seen: " + files.error().describe();
  return files->empty() ? format_text("PID {} has no GPU's device file open", pid) : "";
}

}  // namespace dualgpuopt::memory
