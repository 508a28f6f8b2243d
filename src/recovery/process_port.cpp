#include "dualgpuopt/memory/recovery/process_port.h"

#include <unistd.h>

#include <algorithm>

#include "dualgpuopt/memory/processes/device_files.h"
#include "dualgpuopt/memory/processes/process_environment.h"
#include "dualgpuopt/memory/processes/process_handle.h"

namespace dualgpuopt::memory {
namespace {

/// nvidia-cuda-mps-server and -control, of which the kernel keeps 15 bytes.
constexpr std::string_view kMpsName = "nvidia-cuda-mps";

class HeldByPidfd final : public HeldProcess {
 public:
  explicit HeldByPidfd(ProcessHandle handle) : handle_(std::move(handle)) {}
  Result<void> signal(int number) override { return handle_.signal(number); }
  bool has_exited() override { return handle_.has_exited(); }

 private:
  ProcessHandle handle_;
};

class SystemProcesses final : public ProcessPort {
 public:
  Result<ProcessInfo> read(pid_t pid) override { return table_.read(pid); }

  std::vector<pid_t> group_members(pid_t group) override {
    auto pids = table_.pids();
    std::erase_if(pids, [&](pid_t pid) { return ::getpgid(pid) != group; });
    return pids;
  }

  std::set<pid_t> family() override {
    std::set<pid_t> family{::getpid()};
    family.merge(as_set(table_.ancestors(::getpid())));
    family.merge(as_set(table_.descendants(::getpid())));
    return family;
  }

  Result<ProcessRights> rights() override { return own_rights(); }
  std::string user_name(uid_t uid) override { return table_.user_name(uid); }

  Result<std::optional<std::string>> environment_value(pid_t pid, std::string_view name) override {
    return memory::environment_value(pid, name);
  }

  bool keeps_namespace(const ProcessInfo& process) override {
    if (process.namespaced_pids.size() < 2 || process.namespaced_pids.back() != 1) return false;
    const auto pids = table_.pids();
    return std::any_of(pids.begin(), pids.end(), [&](pid_t pid) {
      return pid != process.identity.pid && table_.pid_namespace(pid) == process.pid_namespace;
    });
  }

  bool serves_mps() override {
    const auto pids = table_.pids();
    return std::any_of(pids.begin(), pids.end(), [&](pid_t pid) {
      const auto brief = table_.read_brief(pid);
      return brief && brief->name == kMpsName;
    });
  }

  Result<std::vector<std::string>> gpu_device_files(pid_t pid) override { return memory::gpu_device_files(pid); }

  Result<std::unique_ptr<HeldProcess>> hold(const ProcessIdentity& identity) override {
    auto handle = ProcessHandle::open(identity, table_);
    if (!handle) return fail(std::move(handle.error()));
    return std::make_unique<HeldByPidfd>(std::move(*handle));
  }

  Result<CommandOutcome> run_hook(const std::string& command, const std::vector<std::string>& environment,
                                  Duration limit, const std::stop_token& stop) override {
    return run_command(command, environment, limit, stop);
  }

 private:
  static std::set<pid_t> as_set(const std::vector<pid_t>& pids) { return {pids.begin(), pids.end()}; }

  ProcessTable table_;
};

}  // namespace

std::unique_ptr<ProcessPort> make_system_processes() { return std::make_unique<SystemProcesses>(); }

}  // namespace dualgpuopt::memory
