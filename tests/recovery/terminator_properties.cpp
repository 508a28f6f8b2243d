// Ten thousand machines that change between any two looks: nobody is signalled whom the policy, written down a second
// time and as simply as can be, does not allow.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "recovery/process_world.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using namespace testing;

constexpr int kRuns = 10'000;
constexpr std::array kHarmless{"python", "train", "blender", "ollama", "vllm"};
constexpr std::array kProtected{"sshd", "Xorg", "containerd", "systemd-logind", "nvidia-persiste", "slurmd"};
const std::map<uid_t, std::string> kUsers{{0, "root"}, {1000, "alice"}, {1001, "bob"}};

/// All that a run counts.
struct Tally {
  int terms = 0, kills = 0, mutations = 0, refused = 0, by_itself = 0, groups = 0;
};

class Machine {
 public:
  Machine(unsigned seed, Tally& tally) : random_(seed), tally_(tally), changes_(chance(0.75)) {
    policy_ = executing();
    policy_.grace = 200ms;
    policy_.wait = 1s;
    policy_.victims.minimum = pick<Bytes>({0, 64_MiB, 1_GiB});
    policy_.victims.unit = chance(0.3) ? VictimUnit::Group : VictimUnit::Single;
    if (chance(0.2)) policy_.victims.only_users = {pick<std::string>({"alice", "1001"})};
    if (chance(0.2)) policy_.victims.never_users = {pick<std::string>({"bob", "root"})};
    if (chance(0.1)) policy_.pre_hook = "save";
    if (chance(0.05)) policy_.mode = ActionMode::DryRun;
    if (chance(0.05)) world_.provenance = Provenance::Replayed;
    world_.rights = {1000, chance(0.5)};
    world_.serves_mps = chance(0.1);
    for (int i = number(2, 7); i > 0; --i) {
      if (const auto pid = number(1, 60); world_.find(pid) == nullptr) populate(pid);
    }
    target_ = number(0, 10) * 1_GiB;
    world_.before_measure = [this] { on_measure(); };
    world_.before_call = [this](auto call, auto* process) { on_call(call, process); };
    world_.hook = [this]() -> Result<CommandOutcome> {
      maybe_change();
      return CommandOutcome{};
    };
  }

  void go() {
    const auto expected = expected_first();
    const auto report = world_.terminator(policy_).run({.target_used = target_});
    for (const auto& victim : report.victims) {
      tally_.refused += victim.record.end == TerminationEnd::Refused;
      tally_.by_itself += victim.record.end == TerminationEnd::WentByItself;
    }
    for (const auto& process : world_.processes()) check(process);
    if (!changes_ && policy_.victims.unit == VictimUnit::Single) {
      EXPECT_EQ(first_signalled_, expected) << "the largest of those that are allowed";
    }
  }

 private:
  template <typename T>
  T pick(std::vector<T> from) {
    return from[static_cast<std::size_t>(number(0, static_cast<int>(from.size()) - 1))];
  }
  int number(int least, int most) { return std::uniform_int_distribution<int>(least, most)(random_); }
  bool chance(double of) { return std::uniform_real_distribution<>()(random_) < of; }

  std::string any_name() {
    return chance(0.75) ? kHarmless[static_cast<std::size_t>(number(0, 4))]
                        : kProtected[static_cast<std::size_t>(number(0, 5))];
  }
  void set_owner(WorldProcess& process) {
    process.info.owner = pick<uid_t>({1000, 1000, 1000, 1001, 0});
    process.user = kUsers.at(process.info.owner);
  }

  WorldProcess& populate(pid_t pid) {
    if (auto* before = world_.find(pid)) world_.end(*before);
    auto& process = world_.add(pid, chance(0.8) ? number(1, 4000) * 1_MiB : 0, any_name());
    set_owner(process);
    process.info.group = chance(0.4) ? number(1, 6) * 10 : pid;
    if (chance(0.4)) process.job = chance(0.8) ? process.info.group : number(1, 60);
    if (chance(0.05)) process.info.pid_namespace.reset();
    process.info.is_kernel_thread = chance(0.03);
    process.keeps_namespace = chance(0.03);
    process.hides = chance(0.03);
    process.device_open = chance(0.9);
    process.ignores_term = chance(0.2);
    process.survives_kill = chance(0.03);
    process.dying = number(0, 150) * 1ms;
    process.memory_lag = chance(0.1) ? 1h : number(0, 500) * 1ms;
    if (chance(0.05)) process.kind = ProcessKind::Mps;
    return process;
  }

  /// One change of the machine, of any kind.
  void change() {
    ++tally_.mutations;
    auto victim = world_.processes().begin();
    std::advance(victim, number(0, static_cast<int>(world_.processes().size()) - 1));
    auto& process = *victim;
    switch (number(0, 9)) {
      case 0: return exit(process);
      case 1:
        exit(process);
        process.is_gone_from_table = true;
        return;
      case 2:
      case 3:
        exit(process);
        populate(process.info.identity.pid);
        return;  // its PID is another's
      case 4: return fork(process);
      case 5: process.info.name = any_name(); return;
      case 6: return set_owner(process);
      case 7: process.device_open = false; return;
      case 8: process.used = chance(0.5) ? 0 : process.used + 100_MiB; return;
      default: process.info.group = number(1, 6) * 10; return;
    }
  }
  void exit(WorldProcess& process) {
    if (!process.exits_at) world_.end(process);
  }
  void fork(const WorldProcess& parent) {
    auto& child = populate(number(61, 90));
    child.info.group = parent.info.group;
    child.info.name = parent.info.name;
    child.job = parent.job;
  }
  void maybe_change() {
    while (changes_ && chance(0.2)) change();
  }

  // The policy, once more.

  [[nodiscard]] bool is_allowed(const WorldProcess& process) const {
    const auto pid = process.info.identity.pid;
    const auto is = [&](const std::vector<std::string>& users) {
      return std::count(users.begin(), users.end(), process.user) +
                 std::count(users.begin(), users.end(), std::to_string(process.info.owner)) >
             0;
    };
    if (pid == 1 || world_.family.contains(pid)) return false;
    if (process.info.is_kernel_thread || process.keeps_namespace || process.hides) return false;
    if (world_.has_exited(process) || process.is_gone_from_table) return false;
    if (!world_.rights.any_user && process.info.owner != world_.rights.user) return false;
    if (!process.info.pid_namespace) return false;
    if (std::count(kProtected.begin(), kProtected.end(), process.info.name) > 0) return false;
    if (is(policy_.victims.never_users)) return false;
    if (!policy_.victims.only_users.empty() && !is(policy_.victims.only_users)) return false;
    return process.used == 0 || process.kind != ProcessKind::Mps;
  }

  [[nodiscard]] bool is_job(const WorldProcess& process) const {
    return policy_.victims.unit == VictimUnit::Group && process.job == process.info.group;
  }

  [[nodiscard]] bool is_group_allowed(const WorldProcess& process) {
    if (!is_job(process)) return true;
    for (const auto& other : world_.processes()) {
      if (other.info.group != process.info.group || world_.has_exited(other) || other.is_gone_from_table) continue;
      if (!is_allowed(other) || other.job != process.info.group) return false;
      if (world_.serves_mps && bytes_of(other) == 0 && other.device_open) return false;
    }
    return true;
  }

  /// As the driver tells it: by the PID, under which a dead one's memory may still be listed.
  [[nodiscard]] Bytes bytes_of(const WorldProcess& process) {
    if (world_.has_exited(process) || process.is_gone_from_table) return 0;
    Bytes most = 0;
    for (const auto& other : world_.processes()) {
      const bool counts = other.info.identity.pid == process.info.identity.pid && world_.holds(other);
      if (counts) most = std::max(most, other.used);
    }
    return most;
  }

  pid_t expected_first() {
    const WorldProcess* first = nullptr;
    if (policy_.mode == ActionMode::DryRun || world_.provenance != Provenance::Driver) return 0;
    if (world_.occupied() <= target_) return 0;
    for (const auto& each : world_.processes()) {
      const bool may =
          is_allowed(each) && bytes_of(each) >= std::max<Bytes>(1, policy_.victims.minimum) && each.device_open;
      if (!may) continue;
      const bool wins = first == nullptr || each.used > first->used ||
                        (each.used == first->used && each.info.identity.pid < first->info.identity.pid);
      if (wins) first = &each;
    }
    return first == nullptr ? 0 : first->info.identity.pid;
  }

  // What was seen, and when.

  struct Account {
    bool allowed_when_read = false;
    bool group_allowed_since_measured = false;
    bool read_since_held = false;
    bool held = false;
    bool device_seen = false;
    Bytes bytes_when_measured = 0;
    std::optional<bool> verdict;  // when it was signalled
    std::optional<MonoTime> term_at;
    bool kill_in_time = true;
  };

  void note_groups() {
    for (auto& process : world_.processes()) {
      auto& account = accounts_[&process];
      account.group_allowed_since_measured = account.group_allowed_since_measured || is_group_allowed(process);
    }
  }

  void on_measure() {
    maybe_change();
    used_when_measured_ = world_.occupied();
    for (auto& process : world_.processes()) {
      accounts_[&process].bytes_when_measured = bytes_of(process);
      accounts_[&process].group_allowed_since_measured = false;
    }
    note_groups();
  }

  void on_call(std::string_view call, WorldProcess* process) {
    const auto pid = process == nullptr ? 0 : process->info.identity.pid;
    maybe_change();
    note_groups();
    if (call == "term" || call == "kill") return on_signal(call, *process);
    auto* now = world_.find(pid);
    if (now == nullptr) return;
    auto& account = accounts_[now];
    if (call == "read") {
      account.allowed_when_read = is_allowed(*now);
      account.read_since_held = account.held;
    } else if (call == "hold") {
      account.held = true;
    } else if (call == "files") {
      account.device_seen = now->device_open;
    }
  }

  void on_signal(std::string_view call, WorldProcess& process) {
    auto& account = accounts_[&process];
    if (call == "kill") {
      account.kill_in_time = account.term_at && world_.clock->now() - *account.term_at >= policy_.grace;
      return;
    }
    account.term_at = world_.clock->now();
    const bool holds_enough =
        is_job(process) || account.bytes_when_measured >= std::max<Bytes>(1, policy_.victims.minimum);
    const bool device = account.bytes_when_measured == 0 || account.device_seen;
    account.verdict = account.held && account.read_since_held && account.allowed_when_read &&
                      account.group_allowed_since_measured && holds_enough && device && used_when_measured_ > target_ &&
                      world_.provenance == Provenance::Driver && policy_.mode == ActionMode::Execute;
    if (first_signalled_ == 0) first_signalled_ = process.info.identity.pid;
  }

  void check(const WorldProcess& process) {
    if (process.signals.empty()) return;
    const auto& account = accounts_[&process];
    ++tally_.terms;
    tally_.groups += is_job(process);
    tally_.kills += process.signals.size() > 1;
    EXPECT_EQ(account.verdict, true) << "PID " << process.info.identity.pid << ", " << process.info.name << " of "
                                     << process.user;
    EXPECT_TRUE(account.kill_in_time);
    EXPECT_TRUE(process.signals == std::vector{SIGTERM} || (process.signals == std::vector{SIGTERM, SIGKILL}));
  }

  std::mt19937 random_;
  Tally& tally_;
  bool changes_;
  ProcessWorld world_{256_GiB};
  TerminatePolicy policy_;
  Bytes target_ = 0;
  Bytes used_when_measured_ = 0;
  pid_t first_signalled_ = 0;
  std::map<const WorldProcess*, Account> accounts_;
};

TEST(TerminatorProperties, SignalsNobodyWhomThePolicyDoesNotAllow) {
  Tally tally;
  for (unsigned seed = 0; seed < kRuns && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Machine(seed, tally).go();
  }
  std::printf(
      "%d runs: %d TERM, %d of them to members of jobs, %d KILL, %d refused, %d went by themselves, %d changes\n",
      kRuns, tally.terms, tally.groups, tally.kills, tally.refused, tally.by_itself, tally.mutations);
  EXPECT_GT(tally.terms, kRuns / 4) << "or the test would show nothing";
  EXPECT_GT(tally.groups, 100);
  EXPECT_GT(tally.kills, 100);
  EXPECT_GT(tally.refused, 100);
  EXPECT_GT(tally.by_itself, 100);
}

}  // namespace
}  // namespace dualgpuopt::memory
