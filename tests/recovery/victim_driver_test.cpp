#include "recovery/victim_driver.h"

#include <gmock/gmock.h>

#include "recovery/process_world.h"

namespace dualgpuopt::memory {
namespace {

using namespace testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// terminator_test.cpp and wrong_victims.cpp have the rest.

class VictimDriverTest : public ::testing::Test {
 protected:
  VictimDriverTest() : leader(world.add(10, 4_GiB)), worker(world.add(11, 0, "loader")) {
    leader.job = worker.job = 10;
    worker.info.group = 10;
    policy.victims.unit = VictimUnit::Group;
    victim.candidate.what = "group 10";
    victim.members = {leader.info.identity, worker.info.identity};
    victim.holders = {leader.info.identity};
    victim.bytes = 4_GiB;
  }
  TerminationRecord drive() {
    const auto memory = world.memory_port();
    const auto processes = world.process_port();
    const auto reading = memory->measure(0, ReadDetail::MemoryAndProcesses);
    return VictimDriver(policy, *memory, *processes, *world.clock).drive({.target_used = 0}, victim, reading);
  }

  ProcessWorld world;
  WorldProcess& leader;
  WorldProcess& worker;
  TerminatePolicy policy = executing();
  RankedVictim victim;
};

TEST_F(VictimDriverTest, SignalsEveryMember) {
  EXPECT_EQ(drive().end, TerminationEnd::Freed);
  EXPECT_THAT(leader.signals, ElementsAre(SIGTERM));
  EXPECT_THAT(worker.signals, ElementsAre(SIGTERM));
}

TEST_F(VictimDriverTest, GoesOnWithoutAMemberThatHasExited) {
  world.end(worker);
  EXPECT_EQ(drive().end, TerminationEnd::Freed);
  EXPECT_THAT(worker.signals, IsEmpty());
}

TEST_F(VictimDriverTest, SparesAGroupThatOneHasLeft) {
  world.before_call = [&](auto call, auto* process) {
    if (call == "hold" && process == &worker) worker.info.group = 11;
  };
  EXPECT_THAT(drive().detail, HasSubstr("its group has changed"));
  EXPECT_THAT(leader.signals, IsEmpty());
}

TEST_F(VictimDriverTest, DoesNotSignalWhoJoinedTheGroupSince) {
  WorldProcess* newcomer = nullptr;
  world.before_call = [&](auto call, auto* process) {
    if (call != "hold" || process != &worker) return;
    newcomer = &world.add(12, 0, "loader");
    newcomer->job = newcomer->info.group = 10;
  };
  EXPECT_EQ(drive().end, TerminationEnd::Freed);
  EXPECT_THAT(newcomer->signals, IsEmpty());
}

TEST(Overlap, IsByPidAndStartTime) {
  EXPECT_TRUE(overlap({{1, 1}, {2, 2}}, {{2, 2}}));
  EXPECT_FALSE(overlap({{1, 1}, {2, 2}}, {{2, 3}}));
}

}  // namespace
}  // namespace dualgpuopt::memory
