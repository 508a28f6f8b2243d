// The texts under /proc/PID, turned into values. Pure functions; their errors (ParseFailed) name the place in the text,
// the caller adds the file.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dualgpuopt/memory/processes/process_table.h"

namespace dualgpuopt::memory::proc {

/// Reads `stat`. The command name may hold blanks, parentheses and line feeds: it ends at the last parenthesis, since
/// everything after it is numbers and a letter.
struct Stat {
  pid_t pid = 0;
  std::string name;
  ProcessState state = ProcessState::Alive;
  pid_t parent = 0;
  pid_t group = 0;  ///< -1 once the process is past being a zombie.
  std::uint64_t start_ticks = 0;
  bool is_kernel_thread = false;  ///< Of the flags, PF_KTHREAD.
  int nice = 0;
};
[[nodiscard]] Result<Stat> parse_stat(std::string_view text);

/// Reads the lines `Uid`, `CapEff` and `NSpid` of `status`; without `CapEff` there are no capabilities, and kernels
/// before 4.1 have no `NSpid`, then the list is empty.
struct Status {
  uid_t effective_user = 0;
  std::vector<pid_t> namespaced_pids;
  std::uint64_t effective_capabilities = 0;
};
[[nodiscard]] Result<Status> parse_status(std::string_view text);

/// The number in a file that holds nothing else, such as `oom_score_adj`.
[[nodiscard]] Result<int> parse_number(std::string_view text);

/// The path in the line `0::PATH` of `cgroup`; empty where only the old hierarchies are listed.
[[nodiscard]] Result<std::string> parse_cgroup(std::string_view text);

/// Splits `cmdline` at its NULs. A process may have overwritten it, so a missing last NUL is no error.
[[nodiscard]] std::vector<std::string> parse_arguments(std::string_view text);

/// The inode in a namespace link such as "pid:[4026531836]".
[[nodiscard]] Result<std::uint64_t> parse_namespace_link(std::string_view text);

}  // namespace dualgpuopt::memory::proc
