#include "dualgpuopt/memory/processes/process_table.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "processes/proc_directory.h"
#include "processes/proc_text.h"

namespace dualgpuopt::memory {
namespace {

constexpr pid_t kInit = 1;

/// Hands a parser's error on with the file that it was about.
template <typename Value>
Result<Value> in_file(Result<Value> parsed, const std::string& file) {
  if (!parsed) return fail(std::move(parsed.error()).with_context(file));
  return parsed;
}

Result<proc::Stat> read_stat(const proc::Directory& directory, pid_t pid) {
  const auto text = directory.read("stat");
  if (!text) return fail(text.error());
  auto stat = in_file(proc::parse_stat(*text), directory.name_of("stat"));
  if (stat && stat->pid != pid) {
    return fail(
        Error(ErrorCode::ParseFailed, "field 1 (PID) is of another process").with_context(directory.name_of("stat")));
  }
  return stat;
}

/// Kernels without control groups have no such file.
Result<std::string> read_cgroup(const proc::Directory& directory) {
  const auto text = directory.read("cgroup");
  if (!text && text.error().code() == ErrorCode::NotFound) return std::string();
  if (!text) return fail(text.error());
  return in_file(proc::parse_cgroup(*text), directory.name_of("cgroup"));
}

Result<std::optional<std::uint64_t>> read_pid_namespace(const proc::Directory& directory) {
  const auto link = directory.read_link("ns/pid");
  if (!link) return std::nullopt;
  const auto inode = in_file(proc::parse_namespace_link(*link), directory.name_of("ns/pid"));
  if (!inode) return fail(inode.error());
  return *inode;
}

/// A kernel without an OOM killer has no such file.
Result<int> read_oom_score_adjustment(const proc::Directory& directory) {
  const auto text = directory.read("oom_score_adj");
  if (!text && text.error().code() == ErrorCode::NotFound) return 0;
  if (!text) return fail(text.error());
  return in_file(proc::parse_number(*text), directory.name_of("oom_score_adj"));
}

Result<proc::Status> read_status(const proc::Directory& directory, pid_t pid) {
  const auto text = directory.read("status");
  if (!text) return fail(text.error());
  auto status = in_file(proc::parse_status(*text), directory.name_of("status"));
  if (status && status->namespaced_pids.empty()) status->namespaced_pids = {pid};
  return status;
}

ProcessInfo with_stat(proc::Stat stat) {
  ProcessInfo info;
  info.identity = {stat.pid, stat.start_ticks};
  info.parent = stat.parent;
  info.group = stat.group;
  info.state = stat.state;
  info.name = std::move(stat.name);
  info.is_kernel_thread = stat.is_kernel_thread;
  info.nice = stat.nice;
  return info;
}

std::optional<pid_t> to_pid(std::string_view name) {
  pid_t pid = 0;
  const auto* end = name.data() + name.size();
  const auto [stop, problem] = std::from_chars(name.data(), end, pid);
  return problem == std::errc{} && stop == end && pid > 0 ? std::optional(pid) : std::nullopt;
}

/// The login name in a line of passwd(5) if it is about `uid`.
std::optional<std::string> login_name(std::string_view line, std::string_view uid) {
  const auto name_end = line.find(':');
  const auto password_end = line.find(':', name_end + 1);
  if (name_end == std::string_view::npos || password_end == std::string_view::npos) return std::nullopt;
  const auto number = line.substr(password_end + 1, line.find(':', password_end + 1) - password_end - 1);
  return number == uid ? std::optional<std::string>(line.substr(0, name_end)) : std::nullopt;
}

}  // namespace

Result<ProcessInfo> ProcessTable::read(pid_t pid) const {
  const auto directory = proc::Directory::open(proc_, pid);
  if (!directory) return fail(directory.error());
  auto stat = read_stat(*directory, pid);
  if (!stat) return fail(std::move(stat.error()));
  auto info = with_stat(std::move(*stat));
  // A zombie's memory is gone, and a kernel thread never had any: the file is there and empty.
  if (const auto text = directory->read("cmdline")) info.arguments = proc::parse_arguments(*text);
  auto cgroup = read_cgroup(*directory);
  if (!cgroup) return fail(std::move(cgroup.error()));
  info.cgroup = std::move(*cgroup);
  const auto pid_namespace = read_pid_namespace(*directory);
  if (!pid_namespace) return fail(pid_namespace.error());
  info.pid_namespace = *pid_namespace;
  const auto adjustment = read_oom_score_adjustment(*directory);
  if (!adjustment) return fail(adjustment.error());
  info.oom_score_adjustment = *adjustment;
  // Last, because every process has it: one that ended half-way is noticed here, not taken for one with less to tell.
  auto status = read_status(*directory, pid);
  if (!status) return fail(std::move(status.error()));
  info.owner = status->effective_user;
  info.namespaced_pids = std::move(status->namespaced_pids);
  return info;
}

Result<ProcessTable::Brief> ProcessTable::read_brief(pid_t pid) const {
  const auto directory = proc::Directory::open(proc_, pid);
  if (!directory) return fail(directory.error());
  auto stat = read_stat(*directory, pid);
  if (!stat) return fail(std::move(stat.error()));
  return Brief{{stat->pid, stat->start_ticks}, stat->parent, stat->state, std::move(stat->name), stat->group};
}

std::optional<std::uint64_t> ProcessTable::pid_namespace(pid_t pid) const {
  const auto directory = proc::Directory::open(proc_, pid);
  if (!directory) return std::nullopt;
  return read_pid_namespace(*directory).value_or(std::nullopt);
}

std::vector<pid_t> ProcessTable::pids() const {
  std::vector<pid_t> found;
  std::error_code problem;
  const std::filesystem::directory_iterator end;
  for (std::filesystem::directory_iterator entry(proc_, problem); !problem && entry != end; entry.increment(problem)) {
    if (const auto pid = to_pid(entry->path().filename().native())) found.push_back(*pid);
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<pid_t> ProcessTable::ancestors(pid_t pid) const {
  std::vector<pid_t> found;
  // The number of steps is bounded: a PID that is reused while we climb could close a ring.
  std::unordered_set<pid_t> seen{pid};
  for (auto process = read_brief(pid); process && pid != kInit; process = read_brief(pid)) {
    pid = process->parent;
    if (pid <= 0 || !seen.insert(pid).second) break;
    found.push_back(pid);
  }
  return found;
}

std::vector<pid_t> ProcessTable::descendants(pid_t pid) const {
  std::unordered_map<pid_t, std::vector<pid_t>> children;
  for (const auto each : pids()) {
    if (const auto process = read_brief(each)) children[process->parent].push_back(each);
  }
  std::vector<pid_t> found{pid};
  std::unordered_set<pid_t> seen{pid};  // the table changes while it is read, so a ring is possible
  for (std::size_t next = 0; next < found.size(); ++next) {
    for (const auto child : children[found[next]]) {
      if (seen.insert(child).second) found.push_back(child);
    }
  }
  found.erase(found.begin());
  return found;
}

std::string ProcessTable::user_name(uid_t uid) const {
  auto number = std::to_string(uid);
  std::ifstream passwd(proc_.parent_path() / "etc/passwd");
  for (std::string line; std::getline(passwd, line);) {
    if (auto name = login_name(line, number); name && !name->empty()) return std::move(*name);
  }
  return number;
}

}  // namespace dualgpuopt::memory
