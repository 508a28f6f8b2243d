// The terminator on real processes: what it signals dies, and nothing else does, PIDs that are reused included.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>

#include <fstream>
#include <functional>
#include <list>
#include <map>
#include <thread>

#include "core/format.h"
#include "dualgpuopt/memory/recovery/terminator.h"
#include "recovery/orphan.h"
#include "recovery/process_world.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using namespace testing;

/// A driver that lists real processes, and takes the memory back when they end.
class HolderDriver final : public MemoryPort {
 public:
  void add(const ProcessIdentity& process, Bytes bytes) { holders_.emplace_back(process, bytes); }

  Reading measure(int gpu, ReadDetail /*detail*/) override {
    ProcessList list;
    Bytes used = 0;
    for (const auto& [process, bytes] : holders_) {
      const auto now = table_.read_brief(process.pid);
      if (!now || now->identity != process || now->state != ProcessState::Alive) continue;
      list.entries.push_back(
          {process.pid, process.start_ticks, bytes, ProcessKind::Compute, now->name, ProcessPresence::Alive});
      used += bytes;
    }
    auto reading = reading_of(used, gpu);
    reading.processes = std::make_shared<const ProcessList>(std::move(list));
    return reading;
  }

 private:
  ProcessTable table_;
  std::list<std::pair<ProcessIdentity, Bytes>> holders_;
};

/// The machine's own processes, each with a GPU's device file open; `at_files` runs when that is looked at, which is
/// after the pidfd was opened and before anything is sent.
class DeviceUsers final : public ProcessPort {
 public:
  Result<ProcessInfo> read(pid_t pid) override { return system_->read(pid); }
  std::vector<pid_t> group_members(pid_t group) override { return system_->group_members(group); }
  std::set<pid_t> family() override { return family_is_told ? told_family : system_->family(); }
  Result<ProcessRights> rights() override { return system_->rights(); }
  std::string user_name(uid_t uid) override { return system_->user_name(uid); }
  Result<std::optional<std::string>> environment_value(pid_t pid, std::string_view name) override {
    return system_->environment_value(pid, name);
  }
  bool keeps_namespace(const ProcessInfo& process) override { return system_->keeps_namespace(process); }
  bool serves_mps() override { return system_->serves_mps(); }
  Result<std::vector<std::string>> gpu_device_files(pid_t /*pid*/) override {
    at_files();
    return std::vector<std::string>{"/dev/nvidia0"};
  }
  Result<std::unique_ptr<HeldProcess>> hold(const ProcessIdentity& identity) override {
    at_hold();
    return system_->hold(identity);
  }
  Result<CommandOutcome> run_hook(const std::string& command, const std::vector<std::string>& environment,
                                  Duration limit, const std::stop_token& stop) override {
    return system_->run_hook(command, environment, limit, stop);
  }

  std::function<void()> at_files = [] {};
  std::function<void()> at_hold = [] {};
  bool family_is_told = false;
  std::set<pid_t> told_family;

 private:
  std::unique_ptr<ProcessPort> system_ = make_system_processes();
};

/// Whoever complies gets all the time that a busy machine needs for it.
TerminatePolicy policy_for(Temper temper) {
  auto policy = executing();
  policy.grace = temper == Temper::Ignores ? Duration(20ms) : Duration(20s);
  policy.wait = 20s;
  return policy;
}

TEST(RealVictims, NobodyButTheChosenIsSignalledInThreeHundredRuns) {
  constexpr int kRuns = 300;
  constexpr int kProcesses = 3;
  int killed = 0;
  int died_before = 0;
  std::vector<double> milliseconds;
  for (int run = 0; run < kRuns && !HasFailure(); ++run) {
    SCOPED_TRACE(run);
    const Orphan chosen(static_cast<Temper>(run % 4));
    const Orphan second(Temper::Complies);
    const Orphan third(Temper::Ignores);
    const auto driver = std::make_shared<HolderDriver>();
    driver->add(second.identity(), 2_GiB);
    driver->add(chosen.identity(), 4_GiB);
    driver->add(third.identity(), 1_GiB);
    const auto users = std::make_shared<DeviceUsers>();
    const bool dies_before = run % 10 == 9;
    if (dies_before)
      users->at_files = [&, looks = 0]() mutable {
        if (++looks <= kProcesses) return;  // chosen already, and looked at once more
        (void)chosen.handle().signal(SIGKILL);
        (void)chosen.handle().wait_for_exit(20s);
      };
    Terminator terminator(policy_for(chosen.temper()), driver, users, std::make_shared<SystemClock>());
    const auto report = terminator.run({.target_used = 3_GiB});
    ASSERT_EQ(report.end, TerminateEnd::Enough) << report.reason;
    ASSERT_EQ(report.victims.size(), 1U);
    EXPECT_TRUE(chosen.handle().has_exited());
    EXPECT_FALSE(second.handle().has_exited());
    EXPECT_FALSE(third.handle().has_exited());
    const auto& record = report.victims.front().record;
    killed += record.kill_sent;
    died_before += record.end == TerminationEnd::WentByItself;
    if (record.term_sent && !record.kill_sent) milliseconds.push_back(Seconds(*record.memory_after).count() * 1e3);
    EXPECT_EQ(record.kill_sent, !dies_before && chosen.temper() == Temper::Ignores);
  }
  std::sort(milliseconds.begin(), milliseconds.end());
  std::printf("%d runs: %d needed KILL, %d died before; TERM to memory back: median %.1f ms, most %.1f ms\n", kRuns,
              killed, died_before, milliseconds[milliseconds.size() / 2], milliseconds.back());
  EXPECT_GT(killed, 50);
  EXPECT_GT(died_before, 5);
}

TEST(RealVictims, OwnChildrenAreNoCandidates) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(60);
    while (true) ::pause();
  }
  const auto identity = ProcessTable().read_brief(child)->identity;
  const auto driver = std::make_shared<HolderDriver>();
  driver->add(identity, 4_GiB);
  Terminator terminator(policy_for(Temper::Complies), driver, std::make_shared<DeviceUsers>(),
                        std::make_shared<SystemClock>());
  EXPECT_EQ(terminator.run({.target_used = 1_GiB}).end, TerminateEnd::NoVictim);
  EXPECT_EQ(::waitpid(child, nullptr, WNOHANG), 0) << "it lives";
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

// PIDs that are reused, in a PID namespace of the test's own, where it decides which PID comes next.

enum Verdict { kPassed = 0, kWrongOneDied = 1, kNoReuse = 2, kUnexpected = 3, kMayNot = 77 };

pid_t fork_idle() {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(60);
    while (true) ::pause();
  }
  return child;
}

void end(pid_t child) {
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

/// Another process with that PID, which is free; 0 if the kernel would not.
pid_t fork_with_pid(pid_t pid) {
  std::ofstream("/proc/sys/kernel/ns_last_pid") << pid - 1 << std::flush;
  const pid_t child = fork_idle();
  if (child == pid) return child;
  end(child);
  return 0;
}

enum class ReuseAt { Hold, Files };

Verdict reuse_once(ReuseAt moment) {
  const pid_t victim = fork_idle();
  const auto measured = ProcessTable().read_brief(victim)->identity;
  pid_t successor = 0;
  const auto swap = [&] {
    if (successor != 0) return;
    end(victim);
    // A start time has a resolution of 10 ms, and no machine goes round all PIDs within that.
    std::this_thread::sleep_for(20ms);
    successor = fork_with_pid(victim);
  };
  const auto driver = std::make_shared<HolderDriver>();
  driver->add(measured, 4_GiB);
  const auto users = std::make_shared<DeviceUsers>();
  users->family_is_told = true;
  users->told_family = {1};
  (moment == ReuseAt::Hold ? users->at_hold : users->at_files) = swap;
  Terminator terminator(policy_for(Temper::Complies), driver, users, std::make_shared<SystemClock>());
  const auto report = terminator.run({.target_used = 1_GiB});
  if (successor == 0) return kNoReuse;
  const bool lives = ::waitpid(successor, nullptr, WNOHANG) == 0;
  if (lives) end(successor);
  if (!lives) return kWrongOneDied;
  return report.victims.front().record.term_sent ? kUnexpected : kPassed;
}

Verdict reuse_often() {
  for (int round = 0; round < 20; ++round) {
    for (const auto moment : {ReuseAt::Hold, ReuseAt::Files}) {
      if (const auto verdict = reuse_once(moment); verdict != kPassed) return verdict;
    }
  }
  return kPassed;
}

/// Runs `body` as the first process of a new PID namespace.
int in_own_namespace(const std::function<int()>& body) {
  const pid_t outer = ::fork();
  if (outer == 0) {
    if (::unshare(CLONE_NEWPID | CLONE_NEWNS) != 0) ::_exit(kMayNot);
    const pid_t init = ::fork();
    if (init == 0) {
      const bool is_mounted = ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                              ::mount("proc", "/proc", "proc", 0, nullptr) == 0;
      ::_exit(is_mounted ? body() : kMayNot);
    }
    int status = 0;
    ::waitpid(init, &status, 0);
    ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : kUnexpected);
  }
  int status = 0;
  ::waitpid(outer, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : kUnexpected;
}

TEST(RealVictims, ASuccessorWithTheSamePidIsNeverSignalled) {
  const int verdict = in_own_namespace([] { return reuse_often(); });
  if (verdict == kMayNot) GTEST_SKIP() << "PID namespaces of one's own take root here";
  if (verdict == kNoReuse) GTEST_SKIP() << "the kernel did not let the test choose the next PID";
  EXPECT_EQ(verdict, kPassed);
}

}  // namespace
}  // namespace dualgpuopt::memory
