// What the kernel says of processes: identity, owner, command, cgroup, namespaces, tree. Linux, from /proc.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "dualgpuopt/memory/core/error.h"

namespace dualgpuopt::memory {

/// Names a process for good: PIDs are reused, a PID with its start time is not.
struct ProcessIdentity {
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;  ///< Start time in clock ticks after boot (proc_pid_stat(5), field 22).

  friend bool operator==(const ProcessIdentity&, const ProcessIdentity&) = default;
};

/// Alive covers running, sleeping and stopped; a Zombie has exited and waits for its parent.
enum class ProcessState { Alive, Zombie, Dead };

/// One process at the moment it was read.
struct ProcessInfo {
  ProcessIdentity identity;
  pid_t parent = 0;
  pid_t group = 0;  ///< Process group.
  uid_t owner = 0;  ///< Effective user.
  ProcessState state = ProcessState::Alive;
  std::string name;                            ///< Command name as the process chose it: any bytes, mostly up to 15.
  std::vector<std::string> arguments;          ///< Empty for kernel threads and zombies; cut off after 256 KiB.
  std::string cgroup;                          ///< Path in the unified hierarchy; empty if there is none.
  std::optional<std::uint64_t> pid_namespace;  ///< Inode; empty if we may not look.
  std::vector<pid_t> namespaced_pids;          ///< The PID in each nested namespace, ours first; never empty.
  bool is_kernel_thread = false;
  int nice = 0;                  ///< From -20 to 19, the least favoured.
  int oom_score_adjustment = 0;  ///< From -1000 (never chosen by the kernel's own killer) to 1000.
};

/// Reads processes under an injected root. Stateless and thread-safe; every call looks afresh.
class ProcessTable {
 public:
  /// The machine's own.
  ProcessTable() : ProcessTable("/") {}
  /// `root` is the directory that holds `proc`.
  explicit ProcessTable(const std::filesystem::path& root) : proc_(root / "proc") {}

  /// All of one and the same process, even when it ends meanwhile and its PID is given away. The kernel may keep this
  /// call waiting while the process's memory map is locked, as when it is stuck in a driver; read_brief() never does.
  /// Errors: NotFound when there is no such process, PermissionDenied, Io, ParseFailed with the file and the place.
  [[nodiscard]] Result<ProcessInfo> read(pid_t pid) const;
  /// Identity, place and name alone, at the cost of one file. Errors as read().
  struct Brief {
    ProcessIdentity identity;
    pid_t parent = 0;
    ProcessState state = ProcessState::Alive;
    std::string name;
    pid_t group = 0;  ///< Process group.
  };
  [[nodiscard]] Result<Brief> read_brief(pid_t pid) const;

  /// The inode of a process's PID namespace; empty if it is gone or we may not look.
  [[nodiscard]] std::optional<std::uint64_t> pid_namespace(pid_t pid) const;

  /// All PIDs, ascending.
  [[nodiscard]] std::vector<pid_t> pids() const;
  /// Parent, grandparent and so on up to PID 1; empty if the process is gone. A parent that cannot be read is the last.
  [[nodiscard]] std::vector<pid_t> ancestors(pid_t pid) const;
  /// All children and their children, parents before children.
  [[nodiscard]] std::vector<pid_t> descendants(pid_t pid) const;
  /// The login name of a user by `ROOT/etc/passwd`, else the number as text.
  [[nodiscard]] std::string user_name(uid_t uid) const;

 private:
  std::filesystem::path proc_;
};

}  // namespace dualgpuopt::memory
