#include "dualgpuopt/memory/processes/driver_pids.h"

#include <algorithm>
#include <array>
#include <fstream>

#include "processes/proc_text.h"

namespace dualgpuopt::memory {
namespace {

/// PROC_PID_INIT_INO of the kernel's proc_ns.h, part of its interface to user space.
constexpr std::uint64_t kFirstPidNamespace = 0xEFFFFFFC;

bool is_in_first_namespace(const std::filesystem::path& proc) {
  std::error_code problem;
  const auto link = std::filesystem::read_symlink(proc / "self/ns/pid", problem);
  if (problem) return false;
  const auto inode = proc::parse_namespace_link(link.string());
  return inode && *inode == kFirstPidNamespace;
}

/// The mount options of proc(5) with which a process that is there looks as if it were not.
bool is_hiding_mount(std::string_view line) {
  constexpr std::array<std::string_view, 4> hiding{"hidepid=2", "hidepid=invisible", "hidepid=4", "hidepid=ptraceable"};
  return line.find(" /proc proc ") != std::string_view::npos &&
         std::any_of(hiding.begin(), hiding.end(),
                     [&](auto option) { return line.find(option) != std::string_view::npos; });
}

bool hides_processes(const std::filesystem::path& proc) {
  std::ifstream mounts(proc / "self/mounts");
  for (std::string line; std::getline(mounts, line);) {
    if (is_hiding_mount(line)) return true;
  }
  return false;
}

std::optional<ProcessTable> host_table(const std::filesystem::path& root) {
  std::error_code problem;
  if (!std::filesystem::exists(root / "host/proc/1", problem)) return std::nullopt;
  return ProcessTable(root / "host");
}

DriverProcess seen(ProcessTable::Brief process) {
  return {process.identity.pid, process.state, process.identity.start_ticks, std::move(process.name)};
}

DriverProcess unseen(pid_t pid) { return {pid, std::nullopt, std::nullopt, ""}; }
DriverProcess dead(pid_t pid) { return {pid, ProcessState::Dead, std::nullopt, ""}; }

}  // namespace

DriverPids::DriverPids(const std::filesystem::path& root)
    : own_(root),
      host_(host_table(root)),
      in_first_namespace_(is_in_first_namespace(root / "proc")),
      hides_processes_(hides_processes(root / "proc")) {}

DriverProcess DriverPids::find(pid_t driver_pid) const {
  if (in_first_namespace_) return find_here(driver_pid);
  return host_ ? find_through_host(driver_pid) : unseen(driver_pid);
}

DriverProcess DriverPids::find_here(pid_t pid) const {
  auto process = own_.read_brief(pid);
  if (process) return seen(std::move(*process));
  const bool is_gone = process.error().code() == ErrorCode::NotFound && !hides_processes_;
  return is_gone ? dead(pid) : unseen(pid);
}

DriverProcess DriverPids::find_through_host(pid_t driver_pid) const {
  const auto on_host = host_->read(driver_pid);
  if (!on_host) return on_host.error().code() == ErrorCode::NotFound ? dead(driver_pid) : unseen(driver_pid);
  auto here = own_.read_brief(on_host->namespaced_pids.back());
  const bool is_same =
      here && here->identity.start_ticks == on_host->identity.start_ticks && here->name == on_host->name;
  return is_same ? seen(std::move(*here)) : unseen(driver_pid);
}

}  // namespace dualgpuopt::memory
