// A machine of the test's own: processes, a device that they hold memory on, and the time.
#pragma once

#include <algorithm>
#include <functional>
#include <list>

#include "dualgpuopt/memory/metrics/memory_port.h"
#include "dualgpuopt/memory/recovery/process_port.h"
#include "dualgpuopt/memory/recovery/terminator.h"
#include "recovery/readings.h"

namespace dualgpuopt::memory::testing {

/// One process, and how it takes being ended. Defaults comply at once.
struct WorldProcess {
  ProcessInfo info;
  std::string user = "alice";
  std::optional<pid_t> job;
  Bytes used = 0;  ///< On the device; 0: the driver does not list it.
  ProcessKind kind = ProcessKind::Compute;
  bool device_open = true;
  bool keeps_namespace = false;
  bool hides = false;  ///< Its files may not be read.
  bool ignores_term = false;
  bool survives_kill = false;
  Duration dying{};                                 ///< From a signal to the exit.
  Duration memory_lag{};                            ///< From the exit until its memory is back.
  std::function<void(WorldProcess&)> at_term = {};  ///< What it does first.

  std::vector<int> signals = {};  ///< That reached it.
  std::optional<MonoTime> exits_at = {};
  MonoTime born{};
  bool is_gone_from_table = false;
};

/// Both ports and the clock. Single-threaded.
class ProcessWorld {
 public:
  explicit ProcessWorld(Bytes total = kTotal) : total_(total) { rights = {1000, false}; }

  /// PIDs as told; a process that had one before is gone from the table, whatever it still holds.
  WorldProcess& add(pid_t pid, Bytes used, std::string name = "python") {
    if (auto* before = find(pid)) before->is_gone_from_table = true;
    auto& process = processes_.emplace_back();
    process.info.identity = {pid, ++last_start_};
    process.info.parent = 2;
    process.info.group = pid;
    process.info.owner = 1000;
    process.info.name = std::move(name);
    process.info.arguments = {process.info.name};
    process.info.cgroup = "/user.slice";
    process.info.pid_namespace = 4026531836U;
    process.info.namespaced_pids = {pid};
    process.used = used;
    process.born = clock->now();
    return process;
  }

  [[nodiscard]] bool has_exited(const WorldProcess& process) const {
    return process.exits_at && clock->now() >= *process.exits_at;
  }
  void end(WorldProcess& process) const { process.exits_at = clock->now(); }
  /// Who has the PID now; a zombie keeps it until it is replaced.
  [[nodiscard]] WorldProcess* find(pid_t pid) {
    for (auto& process : processes_) {
      if (process.info.identity.pid == pid && !process.is_gone_from_table) return &process;
    }
    return nullptr;
  }
  [[nodiscard]] std::list<WorldProcess>& processes() { return processes_; }
  /// Whether its memory is still taken.
  [[nodiscard]] bool holds(const WorldProcess& process) const {
    return !process.exits_at || clock->now() < *process.exits_at + process.memory_lag;
  }

  [[nodiscard]] Bytes occupied() const {
    Bytes sum = unattributed;
    for (const auto& process : processes_) sum += holds(process) ? process.used : 0;
    return sum;
  }

  [[nodiscard]] Terminator terminator(TerminatePolicy policy) {
    return Terminator(std::move(policy), memory_port(), process_port(), clock);
  }
  [[nodiscard]] std::shared_ptr<MemoryPort> memory_port() { return std::make_shared<Memory>(*this); }
  [[nodiscard]] std::shared_ptr<ProcessPort> process_port() { return std::make_shared<Processes>(*this); }

  std::shared_ptr<VirtualClock> clock = std::make_shared<VirtualClock>();
  ProcessRights rights;
  std::set<pid_t> family{1, 50, 51};
  bool serves_mps = false;
  Bytes unattributed = 0;
  Provenance provenance = Provenance::Driver;
  std::string lost = {};                         ///< Measurements fail with it.
  std::vector<ProcessMemory> stale = {};         ///< Listed in addition.
  std::optional<ProcessPresence> presence = {};  ///< Of everybody, instead of the truth.
  std::vector<std::string> hooks = {};           ///< That were run, with their environment.
  std::function<Result<CommandOutcome>()> hook = [] { return CommandOutcome{}; };
  std::function<void()> before_measure = [] {};
  std::function<void(std::string_view call, WorldProcess* process)> before_call = [](auto, auto*) {};

 private:
  [[nodiscard]] ProcessPresence presence_of(const WorldProcess& process) {
    if (presence) return *presence;
    if (process.is_gone_from_table)
      return find(process.info.identity.pid) != nullptr ? ProcessPresence::Alive : ProcessPresence::Gone;
    return has_exited(process) ? ProcessPresence::Zombie : ProcessPresence::Alive;
  }

  /// As a source makes it: by the PID alone, so that a successor's start time stands beside a dead process's memory.
  [[nodiscard]] ProcessMemory listed(const WorldProcess& process) {
    const auto pid = process.info.identity.pid;
    const auto* now = find(pid);
    ProcessMemory entry{pid, std::nullopt, process.used, process.kind, "", presence_of(process)};
    if (now != nullptr) {
      entry.start_ticks = now->info.identity.start_ticks;
      entry.name = now->info.name;
    }
    return entry;
  }

  /// As a source merges what a driver says of one PID.
  static void merge(std::vector<ProcessMemory>& entries, ProcessMemory entry) {
    const auto same = std::find_if(entries.begin(), entries.end(), [&](auto& each) { return each.pid == entry.pid; });
    if (same == entries.end()) return entries.push_back(std::move(entry));
    same->used = std::max(*same->used, *entry.used);
    if (entry.kind == ProcessKind::Mps) same->kind = entry.kind;
  }

  [[nodiscard]] Reading measure(int gpu, ReadDetail detail) {
    before_measure();
    if (!lost.empty()) return testing::lost(lost, gpu);
    auto reading = reading_of(occupied(), gpu, provenance);
    reading.memory = MemoryUse::from_used_and_total(occupied(), total_);
    reading.time = clock->stamp();
    if (detail == ReadDetail::Memory) return reading;
    ProcessList list{clock->stamp(), stale, "", ""};
    for (const auto& process : processes_) {
      if (process.used > 0 && holds(process)) merge(list.entries, listed(process));
    }
    reading.processes = std::make_shared<const ProcessList>(std::move(list));
    return reading;
  }

  [[nodiscard]] Result<ProcessInfo> read(pid_t pid) {
    auto* process = find(pid);
    before_call("read", process);
    process = find(pid);
    if (process == nullptr) return fail(ErrorCode::NotFound, "there is no such process");
    if (process->hides) return fail(ErrorCode::PermissionDenied, "it may not be looked at");
    auto info = process->info;
    if (has_exited(*process)) info.state = ProcessState::Zombie;
    return info;
  }

  class Memory final : public MemoryPort {
   public:
    explicit Memory(ProcessWorld& world) : world_(world) {}
    Reading measure(int gpu, ReadDetail detail) override { return world_.measure(gpu, detail); }

   private:
    ProcessWorld& world_;
  };

  class Held final : public HeldProcess {
   public:
    Held(ProcessWorld& world, WorldProcess& process) : world_(world), process_(process) {}
    Result<void> signal(int number) override {
      world_.before_call(number == SIGKILL ? "kill" : "term", &process_);
      if (has_exited()) return fail(ErrorCode::NotFound, "it has exited");
      if (!world_.rights.may_signal(process_.info.owner)) return fail(ErrorCode::PermissionDenied, "not ours");
      process_.signals.push_back(number);
      if (number == SIGTERM && process_.at_term) process_.at_term(process_);
      const bool ends = number == SIGKILL ? !process_.survives_kill : !process_.ignores_term;
      if (ends && !process_.exits_at) process_.exits_at = world_.clock->now() + process_.dying;
      return {};
    }
    bool has_exited() override { return world_.has_exited(process_); }

   private:
    ProcessWorld& world_;
    WorldProcess& process_;
  };

  class Processes final : public ProcessPort {
   public:
    explicit Processes(ProcessWorld& world) : world_(world) {}
    Result<ProcessInfo> read(pid_t pid) override { return world_.read(pid); }
    std::vector<pid_t> group_members(pid_t group) override {
      std::vector<pid_t> members;
      for (const auto& process : world_.processes_) {
        if (process.info.group == group && !process.is_gone_from_table) members.push_back(process.info.identity.pid);
      }
      return members;
    }
    std::set<pid_t> family() override { return world_.family; }
    Result<ProcessRights> rights() override { return world_.rights; }
    std::string user_name(uid_t uid) override {
      for (const auto& process : world_.processes_) {
        if (process.info.owner == uid) return process.user;
      }
      return std::to_string(uid);
    }
    Result<std::optional<std::string>> environment_value(pid_t pid, std::string_view /*name*/) override {
      const auto* process = world_.find(pid);
      if (process == nullptr) return fail(ErrorCode::NotFound, "there is no such process");
      return process->job ? std::optional(std::to_string(*process->job)) : std::nullopt;
    }
    bool keeps_namespace(const ProcessInfo& info) override {
      const auto* process = world_.find(info.identity.pid);
      return process != nullptr && process->keeps_namespace;
    }
    bool serves_mps() override { return world_.serves_mps; }
    Result<std::vector<std::string>> gpu_device_files(pid_t pid) override {
      auto* process = world_.find(pid);
      world_.before_call("files", process);
      process = world_.find(pid);
      if (process == nullptr) return fail(ErrorCode::NotFound, "there is no such process");
      return process->device_open ? std::vector<std::string>{"/dev/nvidia0"} : std::vector<std::string>{};
    }
    Result<std::unique_ptr<HeldProcess>> hold(const ProcessIdentity& identity) override {
      auto* process = world_.find(identity.pid);
      world_.before_call("hold", process);
      process = world_.find(identity.pid);
      if (process == nullptr || process->info.identity != identity || world_.has_exited(*process)) {
        return fail(ErrorCode::NotFound, "it has exited, or its PID is another's");
      }
      return std::make_unique<Held>(world_, *process);
    }
    Result<CommandOutcome> run_hook(const std::string& command, const std::vector<std::string>& environment,
                                    Duration /*limit*/, const std::stop_token& /*stop*/) override {
      world_.hooks.push_back(command);
      for (const auto& entry : environment) world_.hooks.push_back(entry);
      return world_.hook();
    }

   private:
    ProcessWorld& world_;
  };

  std::list<WorldProcess> processes_;  // all that ever were
  Bytes total_;
  std::uint64_t last_start_ = 1000;
};

/// A policy that acts.
inline TerminatePolicy executing() {
  TerminatePolicy policy;
  policy.enabled = true;
  policy.mode = ActionMode::Execute;
  return policy;
}

}  // namespace dualgpuopt::memory::testing
