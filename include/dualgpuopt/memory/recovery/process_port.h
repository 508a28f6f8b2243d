// What terminating needs of the kernel, behind one interface, so that tests can put any table of processes there.
#pragma once

#include <memory>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "dualgpuopt/memory/processes/process_rights.h"
#include "dualgpuopt/memory/processes/timed_command.h"

namespace dualgpuopt::memory {

/// A process that is held, as by a pidfd: nothing that is done with it reaches another.
class HeldProcess {
 public:
  virtual ~HeldProcess() = default;
  /// NotFound: it has exited.
  [[nodiscard]] virtual Result<void> signal(int number) = 0;
  [[nodiscard]] virtual bool has_exited() = 0;
};

/// Every call looks afresh. Implementations are thread-safe.
class ProcessPort {
 public:
  virtual ~ProcessPort() = default;

  /// As ProcessTable::read().
  [[nodiscard]] virtual Result<ProcessInfo> read(pid_t pid) = 0;
  /// The PIDs of a process group, ascending.
  [[nodiscard]] virtual std::vector<pid_t> group_members(pid_t group) = 0;
  /// This process, its ancestors and its descendants.
  [[nodiscard]] virtual std::set<pid_t> family() = 0;
  [[nodiscard]] virtual Result<ProcessRights> rights() = 0;
  [[nodiscard]] virtual std::string user_name(uid_t uid) = 0;
  [[nodiscard]] virtual Result<std::optional<std::string>> environment_value(pid_t pid, std::string_view name) = 0;
  /// Whether it is the first process of a PID namespace below ours that others are in.
  [[nodiscard]] virtual bool keeps_namespace(const ProcessInfo& process) = 0;
  /// Whether NVIDIA's Multi-Process Service runs on this machine.
  [[nodiscard]] virtual bool serves_mps() = 0;
  /// As dualgpuopt::memory::gpu_device_files().
  [[nodiscard]] virtual Result<std::vector<std::string>> gpu_device_files(pid_t pid) = 0;
  /// As ProcessHandle::open().
  [[nodiscard]] virtual Result<std::unique_ptr<HeldProcess>> hold(const ProcessIdentity& identity) = 0;
  /// As dualgpuopt::memory::run_command().
  [[nodiscard]] virtual Result<CommandOutcome> run_hook(const std::string& command,
                                                        const std::vector<std::string>& environment, Duration limit,
                                                        const std::stop_token& stop) = 0;
};

/// This machine's.
[[nodiscard]] std::unique_ptr<ProcessPort> make_system_processes();

}  // namespace dualgpuopt::memory
