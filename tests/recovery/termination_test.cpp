#include "dualgpuopt/memory/recovery/termination.h"

#include <gmock/gmock.h>

#include "recovery/readings.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using namespace testing;
using ::testing::HasSubstr;

Reading with_victim(Bytes used, bool is_listed = true) {
  auto reading = reading_of(used);
  ProcessList list;
  if (is_listed) list.entries.push_back({10, 7, 4_GiB, ProcessKind::Compute, "p", ProcessPresence::Alive});
  reading.processes = std::make_shared<const ProcessList>(std::move(list));
  return reading;
}

RankedVictim victim() {
  RankedVictim victim;
  victim.candidate.what = "p, PID 10, of alice";
  victim.members = victim.holders = {{10, 7}};
  victim.bytes = 4_GiB;
  return victim;
}

class TerminationTest : public ::testing::Test {
 protected:
  template <typename Action>
  [[nodiscard]] bool wants() const {
    return std::holds_alternative<Action>(termination.next());
  }
  [[nodiscard]] TerminationRecord record() const { return std::get<TerminationFinished>(termination.next()).record; }
  void come_to_term() {
    termination.on_opened(VictimReach::Done, "", now);
    termination.on_listed(with_victim(10_GiB), now);
    termination.on_inspected("", now);
  }

  MonoTime now{100s};
  TerminatePolicy policy;
  Termination termination{policy, victim(), with_victim(10_GiB), 2_GiB};
};

TEST_F(TerminationTest, GoesInItsOrder) {
  EXPECT_TRUE(wants<OpenVictim>());
  termination.on_opened(VictimReach::Done, "", now);
  EXPECT_TRUE(wants<ListDevice>());
  termination.on_listed(with_victim(10_GiB), now);
  EXPECT_TRUE(wants<InspectVictim>());
  termination.on_inspected("", now);
  EXPECT_EQ(std::get<SendSignal>(termination.next()).number, SIGTERM);
  termination.on_signalled(VictimReach::Done, "", now);
  EXPECT_EQ(std::get<AwaitExit>(termination.next()).until, now + 5s);
  termination.on_waited(false, now + 5s);
  EXPECT_EQ(std::get<SendSignal>(termination.next()).number, SIGKILL);
  termination.on_signalled(VictimReach::Done, "", now + 5s);
  EXPECT_EQ(std::get<AwaitExit>(termination.next()).until, now + 35s);
  termination.on_waited(true, now + 6s);
  EXPECT_EQ(std::get<AwaitMemory>(termination.next()).at, now + 6s);
  termination.on_measured(with_victim(10_GiB, false), now + 6s);
  EXPECT_EQ(std::get<AwaitMemory>(termination.next()).at, now + 6100ms);
  termination.on_measured(with_victim(6_GiB, false), now + 7s);
  EXPECT_EQ(record().end, TerminationEnd::Freed);
  EXPECT_EQ(record().exit_after, 6s);
  EXPECT_EQ(record().memory_after, 7s);
}

TEST_F(TerminationTest, ThePreHookComesBeforeTermAndAfterItAllIsLookedAtAgain) {
  policy.pre_hook = "save";
  termination = Termination(policy, victim(), with_victim(10_GiB), 2_GiB);
  come_to_term();
  EXPECT_TRUE(wants<RunPreHook>());
  termination.on_hook_ended("exited with 0", now);
  EXPECT_TRUE(wants<ListDevice>());
  termination.on_listed(with_victim(10_GiB), now);
  EXPECT_TRUE(wants<InspectVictim>());
  termination.on_inspected("", now);
  EXPECT_TRUE(wants<SendSignal>());
}

TEST_F(TerminationTest, RefusesAtEveryStepBeforeTerm) {
  termination.on_opened(VictimReach::Failed, "denied", now);
  EXPECT_EQ(record().detail, "p, PID 10, of alice was not signalled: denied");
  termination = Termination(policy, victim(), with_victim(10_GiB), 2_GiB);
  termination.on_opened(VictimReach::Done, "", now);
  termination.on_listed(with_victim(10_GiB, false), now);
  EXPECT_THAT(record().detail, HasSubstr("does not list it with memory"));
  termination = Termination(policy, victim(), with_victim(10_GiB), 2_GiB);
  termination.on_opened(VictimReach::Done, "", now);
  termination.on_listed(lost("GPU is lost"), now);
  EXPECT_THAT(record().detail, HasSubstr("GPU is lost"));
  termination = Termination(policy, victim(), with_victim(10_GiB), 2_GiB);
  come_to_term();
  termination.on_signalled(VictimReach::Failed, "denied", now);
  EXPECT_EQ(record().end, TerminationEnd::Refused);
  EXPECT_FALSE(record().term_sent);
}

TEST_F(TerminationTest, WaitsForTheMemoryOfOneThatEndsBeforeItWasSignalled) {
  termination.on_gone(now);
  EXPECT_TRUE(wants<OpenVictim>()) << "not asked for yet";
  termination.on_opened(VictimReach::Done, "", now);
  termination.on_gone(now);
  EXPECT_EQ(std::get<AwaitMemory>(termination.next()).at, now);
  termination.on_measured(with_victim(10_GiB, false), now);
  EXPECT_TRUE(wants<AwaitMemory>());
  termination.on_measured(with_victim(6_GiB, false), now + 3s);
  EXPECT_EQ(record().end, TerminationEnd::WentByItself);
  EXPECT_EQ(record().memory_after, 3s);
}

TEST_F(TerminationTest, TakesNoEventThatItDidNotAskFor) {
  termination.on_signalled(VictimReach::Done, "", now);
  termination.on_waited(true, now);
  termination.on_measured(with_victim(1_GiB), now);
  termination.on_inspected("", now);
  termination.on_hook_ended("", now);
  EXPECT_TRUE(wants<OpenVictim>());
}

TEST_F(TerminationTest, WaitsForTheMemoryOfOneThatIsGone) {
  termination.on_opened(VictimReach::Gone, "", now);
  EXPECT_TRUE(wants<AwaitMemory>());
  termination.on_measured(with_victim(6_GiB, false), now + 1s);
  EXPECT_EQ(record().end, TerminationEnd::WentByItself);
  EXPECT_EQ(record().detail, "p, PID 10, of alice ended by itself and gave 4.0 GiB back");
}

TEST_F(TerminationTest, IsUnverifiedWhereTheDeviceCannotBeMeasuredAfterwards) {
  come_to_term();
  termination.on_signalled(VictimReach::Done, "", now);
  termination.on_waited(true, now);
  termination.on_measured(lost("GPU is lost"), now + 1s);
  EXPECT_TRUE(wants<AwaitMemory>()) << "it may come back";
  termination.on_measured(lost("GPU is lost"), now + 30s);
  EXPECT_EQ(record().end, TerminationEnd::Unverified);
  EXPECT_THAT(record().detail, HasSubstr("GPU is lost"));
}

TEST_F(TerminationTest, AStopBeforeTermRefusesAndAfterItLeavesUnverified) {
  auto stopped = termination;
  stopped.on_stopped(now);
  EXPECT_EQ(std::get<TerminationFinished>(stopped.next()).record.end, TerminationEnd::Refused);
  come_to_term();
  termination.on_signalled(VictimReach::Done, "", now);
  termination.on_stopped(now);
  EXPECT_EQ(record().end, TerminationEnd::Unverified);
  termination.on_stopped(now);
  EXPECT_EQ(to_string(record().end), "unverified");
}

}  // namespace
}  // namespace dualgpuopt::memory
