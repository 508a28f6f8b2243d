#include "dualgpuopt/memory/recovery/relief.h"

#include <gmock/gmock.h>

#include "recovery/process_world.h"

namespace dualgpuopt::memory {
namespace {

using namespace testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ReliefTest : public ::testing::Test {
 protected:
  ReliefTest() {
    world.add(100, 12_GiB);
    world.add(200, 8_GiB);
  }
  Decision relieve_to(Bytes target, const TerminatePolicy& policy = executing()) {
    auto terminator = world.terminator(policy);
    const auto evidence = world.memory_port()->measure(0, ReadDetail::MemoryAndProcesses);
    return relieve(terminator, {0, Level::Critical, evidence, target}, *world.clock);
  }
  ProcessWorld world;
};

TEST_F(ReliefTest, RecordsEveryVictimAsARung) {
  const auto decision = relieve_to(1_GiB);
  EXPECT_EQ(decision.end, DecisionEnd::TargetReached);
  EXPECT_EQ(decision.cause, ClimbCause::Request);
  EXPECT_EQ(decision.mode, ActionMode::Execute);
  EXPECT_EQ(decision.freed, static_cast<SignedBytes>(20_GiB));
  ASSERT_EQ(decision.rungs.size(), 2U);
  EXPECT_EQ(decision.rungs[0].outcome, RungOutcome::Freed);
  EXPECT_EQ(decision.rungs[0].used_before, 20_GiB);
  EXPECT_EQ(decision.rungs[0].used_after, 8_GiB);
  EXPECT_TRUE(decision.rungs[1].candidates.front().chosen);
}

TEST_F(ReliefTest, ADryRunIsOneRungThatWouldRun) {
  const auto decision = relieve_to(1_GiB, {});
  EXPECT_EQ(decision.end, DecisionEnd::DryRun);
  EXPECT_EQ(decision.mode, ActionMode::DryRun);
  ASSERT_EQ(decision.rungs.size(), 1U);
  EXPECT_EQ(decision.rungs[0].outcome, RungOutcome::WouldRun);
  EXPECT_EQ(decision.rungs[0].candidates.size(), 2U);
  EXPECT_FALSE(decision.freed);
}

TEST_F(ReliefTest, AtTheTargetThereIsNothingToDo) {
  const auto decision = relieve_to(20_GiB);
  EXPECT_EQ(decision.end, DecisionEnd::NothingToDo);
  EXPECT_THAT(decision.rungs, IsEmpty());
}

TEST_F(ReliefTest, SimulatedReadingsAreADryRunWhateverThePolicy) {
  world.provenance = Provenance::Simulated;
  const auto decision = relieve_to(1_GiB);
  EXPECT_EQ(decision.end, DecisionEnd::DryRun);
  EXPECT_EQ(decision.mode, ActionMode::DryRun);
  EXPECT_EQ(decision.provenance, Provenance::Simulated);
}

TEST_F(ReliefTest, NobodyLeftIsAnExhaustedLadder) {
  world.processes().front().info.owner = 0;
  world.processes().back().info.owner = 0;
  const auto decision = relieve_to(1_GiB);
  EXPECT_EQ(decision.end, DecisionEnd::LadderExhausted);
  EXPECT_EQ(decision.rungs.front().outcome, RungOutcome::Skipped);
  EXPECT_THAT(decision.reason, HasSubstr("nobody else of 2 processes on GPU 0 may be ended"));
}

TEST_F(ReliefTest, MemoryThatStaysIsUnverified) {
  world.processes().front().memory_lag = std::chrono::hours(1);
  const auto decision = relieve_to(1_GiB);
  EXPECT_EQ(decision.end, DecisionEnd::LadderExhausted);
  EXPECT_EQ(decision.rungs.back().outcome, RungOutcome::Unverified);
}

}  // namespace
}  // namespace dualgpuopt::memory
