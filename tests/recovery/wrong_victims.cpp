// Whom a terminator must never signal, one test a case: the first choice is always the one that must live.
#include <gmock/gmock.h>

#include "core/format.h"
#include "recovery/process_world.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using namespace testing;
using enum ProcessPresence;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr pid_t kWrong = 100;
constexpr pid_t kRight = 200;

/// The wrong victim holds 12 GiB, the right one 8; the device is to come down to 14.
class WrongVictim : public ::testing::Test {
 protected:
  WrongVictim() : wrong(world.add(kWrong, 12_GiB)), right(world.add(kRight, 8_GiB)) {}

  TerminateReport run(const TerminatePolicy& policy = executing()) {
    return world.terminator(policy).run({.gpu = 0, .target_used = 14_GiB});
  }
  /// The wrong one is named with this reason, and the right one is ended instead.
  void expect_spared(std::string_view reason, const TerminatePolicy& policy = executing()) {
    const auto report = run(policy);
    EXPECT_THAT(wrong.signals, IsEmpty());
    EXPECT_THAT(right.signals, ElementsAre(SIGTERM));
    EXPECT_EQ(report.end, TerminateEnd::Enough) << report.reason;
    const auto pid = format_text("PID {}", kWrong);
    for (const auto& candidate : report.victims.front().candidates) {
      if (candidate.what.find(pid) == std::string::npos) continue;
      EXPECT_FALSE(candidate.score);
      EXPECT_FALSE(candidate.chosen);
      EXPECT_THAT(candidate.reason, HasSubstr(std::string(reason)));
    }
  }

  ProcessWorld world;
  WorldProcess& wrong;
  WorldProcess& right;
};

TEST_F(WrongVictim, NobodyIsWrongHere) {
  right.used = 3_GiB;
  (void)run();
  EXPECT_THAT(wrong.signals, ElementsAre(SIGTERM));
  EXPECT_THAT(right.signals, IsEmpty());
}

TEST_F(WrongVictim, WhosePidWasReusedBetweenMeasuringAndOpening) {
  WorldProcess* successor = nullptr;
  world.before_call = [&](auto call, auto* process) {
    if (call != "hold" || process != &wrong || successor != nullptr) return;
    world.end(wrong);
    successor = &world.add(kWrong, 0, "innocent");
  };
  const auto report = run();
  ASSERT_NE(successor, nullptr);
  EXPECT_THAT(successor->signals, IsEmpty());
  EXPECT_THAT(wrong.signals, IsEmpty());
  EXPECT_EQ(report.victims.front().record.end, TerminationEnd::WentByItself);
}

TEST_F(WrongVictim, WhosePidWasReusedBetweenOpeningAndSignalling) {
  WorldProcess* successor = nullptr;
  world.before_call = [&](auto call, auto* process) {
    if (call != "term" || process != &wrong) return;
    world.end(wrong);
    successor = &world.add(kWrong, 0, "innocent");
  };
  (void)run();
  ASSERT_NE(successor, nullptr);
  EXPECT_THAT(successor->signals, IsEmpty());
  EXPECT_THAT(wrong.signals, IsEmpty());
}

TEST_F(WrongVictim, WhosePidWasReusedDuringTheGrace) {
  wrong.ignores_term = true;
  WorldProcess* successor = nullptr;
  world.before_call = [&](auto call, auto* process) {
    if (call != "kill" || process != &wrong) return;
    world.end(wrong);
    successor = &world.add(kWrong, 0, "innocent");
  };
  (void)run();
  ASSERT_NE(successor, nullptr);
  EXPECT_THAT(successor->signals, IsEmpty());
  EXPECT_THAT(wrong.signals, ElementsAre(SIGTERM));
}

TEST_F(WrongVictim, WhoseStartTimeIsNotTheOneThatWasMeasured) {
  world.before_call = [&](auto call, auto* process) {
    if (call == "read" && process == &wrong) ++wrong.info.identity.start_ticks;
  };
  expect_spared("another process now");
}

TEST_F(WrongVictim, OfAnotherUser) {
  wrong.info.owner = 1001;
  wrong.user = "bob";
  expect_spared("it belongs to bob");
}

TEST_F(WrongVictim, OfAnotherUserIsNoneForRoot) {
  world.rights = {0, true};
  wrong.info.owner = 1001;
  (void)run();
  EXPECT_THAT(wrong.signals, ElementsAre(SIGTERM));
}

TEST_F(WrongVictim, ThatBecameAnotherUsersMeanwhile) {
  world.before_call = [&](auto call, auto* process) {
    if (call == "hold" && process == &wrong) wrong.info.owner = 0;
  };
  const auto report = run();
  EXPECT_THAT(wrong.signals, IsEmpty());
  EXPECT_THAT(report.victims.front().record.detail, HasSubstr("we may signal our own processes only"));
}

TEST_F(WrongVictim, ThatIsProtected) {
  wrong.info.name = "Xorg";
  expect_spared("it is protected, by \"Xorg\"");
}

TEST_F(WrongVictim, ThatTheConfigurationProtects) {
  auto policy = executing();
  policy.victims.protect = {"*database*"};
  wrong.info.arguments = {"/usr/bin/python", "database.py"};
  expect_spared("it is protected, by \"*database*\"", policy);
}

TEST_F(WrongVictim, ThatTookAProtectedNameMeanwhile) {
  world.before_call = [&](auto call, auto* process) {
    if (call == "hold" && process == &wrong) wrong.info.name = "sshd";
  };
  (void)run();
  EXPECT_THAT(wrong.signals, IsEmpty());
}

TEST_F(WrongVictim, OfTheOwnTree) {
  world.family.insert(kWrong);
  expect_spared("it is this process, an ancestor of it, or came from it");
}

TEST_F(WrongVictim, ThatIsInit) {
  world.family.clear();
  wrong.info.identity.pid = 1;
  (void)run();
  EXPECT_THAT(wrong.signals, IsEmpty());
  EXPECT_THAT(right.signals, ElementsAre(SIGTERM));
}

TEST_F(WrongVictim, ThatIsTheInitOfAContainerWithOthers) {
  wrong.keeps_namespace = true;
  expect_spared("the first process of a container");
}

TEST_F(WrongVictim, OfAPidNamespaceThatIsNotMapped) {
  world.presence = Unseen;
  const auto report = run();
  EXPECT_THAT(wrong.signals, IsEmpty());
  EXPECT_THAT(right.signals, IsEmpty()) << "nobody can be told from anybody";
  EXPECT_EQ(report.end, TerminateEnd::NoVictim);
  EXPECT_THAT(report.candidates.front().reason, HasSubstr("cannot be seen from here"));
}

TEST_F(WrongVictim, WhoseNamespaceMayNotBeLookedAt) {
  wrong.info.pid_namespace.reset();
  expect_spared("its PID namespace cannot be looked at");
}

TEST_F(WrongVictim, ThatMayNotBeReadAtAll) {
  wrong.hides = true;
  expect_spared("it may not be looked at");
}

TEST_F(WrongVictim, ThatIsAZombie) {
  wrong.memory_lag = 1h;
  world.end(wrong);
  expect_spared("a zombie");
}

TEST_F(WrongVictim, ThatIsDeadAndStillHoldsMemory) {
  wrong.memory_lag = 1h;
  world.end(wrong);
  wrong.is_gone_from_table = true;
  expect_spared("it has ended already; the driver still lists it");
}

TEST_F(WrongVictim, ThatHasThePidOfADeadOneWhichHoldsMemory) {
  wrong.memory_lag = 1h;
  world.end(wrong);
  auto& successor = world.add(kWrong, 0, "innocent");
  successor.device_open = false;
  expect_spared("no GPU's device file open");
  EXPECT_THAT(successor.signals, IsEmpty());
}

TEST_F(WrongVictim, ThatIsAKernelThread) {
  wrong.info.is_kernel_thread = true;
  expect_spared("a kernel thread");
}

TEST_F(WrongVictim, ThatComputesThroughTheMultiProcessService) {
  wrong.kind = ProcessKind::Mps;
  expect_spared("Multi-Process Service");
}

TEST_F(WrongVictim, WhoseGroupMayHaveAClientOfTheServiceOnAnotherGpu) {
  auto policy = executing();
  policy.victims.unit = VictimUnit::Group;
  wrong.job = kWrong;
  auto& elsewhere = world.add(kWrong + 1, 0);
  elsewhere.info.group = kWrong;
  elsewhere.job = kWrong;
  world.serves_mps = true;
  EXPECT_THAT(run(policy).victims.front().candidates.back().reason,
              HasSubstr("PID 101 of its group may be a client of the Multi-Process Service on another GPU"));
  EXPECT_THAT(wrong.signals, IsEmpty());
  EXPECT_THAT(elsewhere.signals, IsEmpty());
  EXPECT_THAT(right.signals, ElementsAre(SIGTERM));
}

TEST_F(WrongVictim, ThatHasNoDeviceOpen) {
  wrong.device_open = false;
  expect_spared("no GPU's device file open");
}

TEST_F(WrongVictim, ThatClosedTheDeviceMeanwhile) {
  world.before_call = [&](auto call, auto* process) {
    if (call == "hold" && process == &wrong) wrong.device_open = false;
  };
  const auto report = run();
  EXPECT_THAT(wrong.signals, IsEmpty());
  EXPECT_THAT(report.victims.front().record.detail, HasSubstr("no GPU's device file open"));
  EXPECT_THAT(right.signals, ElementsAre(SIGTERM)) << "the next one";
}

TEST_F(WrongVictim, ThatGaveItsMemoryUpInTime) {
  world.before_call = [&](auto call, auto* process) {
    if (call == "hold" && process == &wrong) wrong.used = 0;
  };
  const auto report = run();
  EXPECT_THAT(wrong.signals, IsEmpty());
  EXPECT_THAT(right.signals, IsEmpty()) << "the target is reached without anybody";
  EXPECT_EQ(report.end, TerminateEnd::Enough);
  EXPECT_EQ(report.victims.front().record.end, TerminationEnd::NotNeeded);
}

TEST_F(WrongVictim, ByTheUsersOfThePolicy) {
  auto policy = executing();
  wrong.info.owner = 1001;
  wrong.user = "bob";
  world.rights = {0, true};
  policy.victims.only_users = {"alice"};
  expect_spared("not one of those whose processes may be ended", policy);
}

TEST_F(WrongVictim, ByTheUsersWhoseProcessesAreNeverEnded) {
  auto policy = executing();
  wrong.info.owner = 1001;
  wrong.user = "bob";
  world.rights = {0, true};
  policy.victims.never_users = {"1001"};
  expect_spared("processes of bob are never ended", policy);
}

TEST_F(WrongVictim, InAnyDryRun) {
  auto policy = executing();
  policy.mode = ActionMode::DryRun;
  const auto report = run(policy);
  EXPECT_THAT(wrong.signals, IsEmpty());
  EXPECT_THAT(world.hooks, IsEmpty());
  EXPECT_EQ(report.end, TerminateEnd::DryRun);
}

TEST_F(WrongVictim, BySimulatedOrReplayedReadings) {
  for (const auto provenance : {Provenance::Simulated, Provenance::Replayed}) {
    world.provenance = provenance;
    auto terminator = world.terminator(executing());
    EXPECT_EQ(terminator.run({.provenance = provenance, .target_used = 14_GiB}).end, TerminateEnd::DryRun);
    const auto lied_to = terminator.run({.provenance = Provenance::Driver, .target_used = 14_GiB});
    EXPECT_EQ(lied_to.end, TerminateEnd::MeasurementLost) << "what is measured must be a driver's as well";
  }
  EXPECT_THAT(wrong.signals, IsEmpty());
  EXPECT_THAT(right.signals, IsEmpty());
}

TEST_F(WrongVictim, WhenTheDeviceCannotBeMeasuredAnyMore) {
  int measurements = 0;
  world.before_measure = [&] {
    if (++measurements > 1) world.lost = "GPU is lost";
  };
  (void)run();
  EXPECT_THAT(wrong.signals, IsEmpty());
  EXPECT_THAT(right.signals, IsEmpty());
}

// Who may be ended, and takes it in its own way.

TEST_F(WrongVictim, IgnoringTermIsAnsweredWithKill) {
  wrong.ignores_term = true;
  const auto began = world.clock->now();
  const auto report = run();
  EXPECT_THAT(wrong.signals, ElementsAre(SIGTERM, SIGKILL));
  EXPECT_THAT(right.signals, IsEmpty());
  EXPECT_GE(world.clock->now() - began, 5s) << "after the grace, not before";
  EXPECT_TRUE(report.victims.front().record.kill_sent);
}

TEST_F(WrongVictim, IsWhatOneForksWhileItDies) {
  WorldProcess* child = nullptr;
  wrong.at_term = [&](auto&) { child = &world.add(300, 2_GiB); };
  (void)run();
  ASSERT_NE(child, nullptr);
  EXPECT_THAT(child->signals, IsEmpty()) << "it was not measured, and the target is reached";
  EXPECT_THAT(wrong.signals, ElementsAre(SIGTERM));
}

TEST_F(WrongVictim, IsNobodyWhereOneDiesByItself) {
  world.before_call = [&](auto call, auto* process) {
    if (call == "term" && process == &wrong) world.end(wrong);
  };
  wrong.memory_lag = 3s;
  const auto report = run();
  EXPECT_THAT(wrong.signals, IsEmpty());
  EXPECT_THAT(right.signals, IsEmpty()) << "its memory is waited for";
  EXPECT_EQ(report.end, TerminateEnd::Enough);
  EXPECT_EQ(report.victims.front().record.memory_after, 3s);
}

}  // namespace
}  // namespace dualgpuopt::memory
