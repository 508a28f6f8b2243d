#include "dualgpuopt/memory/recovery/terminator.h"

#include <gmock/gmock.h>

#include "core/format.h"
#include "recovery/process_world.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using namespace testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class TerminatorTest : public ::testing::Test {
 protected:
  TerminatorTest() : big(world.add(100, 12_GiB)), small(world.add(200, 8_GiB)) {}

  TerminateReport run(Bytes target, const TerminatePolicy& policy = executing()) {
    return world.terminator(policy).run({.target_used = target});
  }

  ProcessWorld world;
  WorldProcess& big;
  WorldProcess& small;
};

TEST_F(TerminatorTest, StopsAtTheTarget) {
  const auto report = run(8_GiB);
  EXPECT_THAT(big.signals, ElementsAre(SIGTERM));
  EXPECT_THAT(small.signals, IsEmpty());
  EXPECT_EQ(report.end, TerminateEnd::Enough);
  EXPECT_EQ(report.reason, "use is 8.0 GiB, at the target of 8.0 GiB");
  ASSERT_EQ(report.victims.size(), 1U);
  EXPECT_TRUE(report.victims.front().candidates.front().chosen);
  EXPECT_FALSE(report.victims.front().candidates.back().chosen);
}

TEST_F(TerminatorTest, GoesOnUntilTheTargetIsReached) {
  big.dying = 1s;
  big.memory_lag = 2s;
  const auto report = run(1_GiB);
  EXPECT_THAT(big.signals, ElementsAre(SIGTERM));
  EXPECT_THAT(small.signals, ElementsAre(SIGTERM));
  ASSERT_EQ(report.victims.size(), 2U);
  EXPECT_EQ(report.victims[0].record.exit_after, 1s);
  EXPECT_EQ(report.victims[0].record.memory_after, 3s);
  EXPECT_EQ(report.victims[0].record.detail,
            "python, PID 100, of alice was ended by TERM and exited after 1 s; its 12.0 GiB were back after 3 s");
}

TEST_F(TerminatorTest, HasNothingToDoAtTheTarget) {
  EXPECT_EQ(run(20_GiB).end, TerminateEnd::Enough);
  EXPECT_THAT(big.signals, IsEmpty());
}

TEST_F(TerminatorTest, SaysWhenNobodyIsLeft) {
  world.unattributed = 3_GiB;
  const auto report = run(1_GiB);
  EXPECT_EQ(report.end, TerminateEnd::NoVictim);
  EXPECT_EQ(report.reason,
            "use is 3.0 GiB, 2.0 GiB above the target of 1.0 GiB, and nobody else of 0 processes on GPU 0 "
            "may be ended");
}

TEST_F(TerminatorTest, ADryRunSaysWhatItWouldDo) {
  auto policy = executing();
  policy.mode = ActionMode::DryRun;
  policy.pre_hook = "save";
  const auto report = run(5_GiB, policy);
  EXPECT_EQ(report.end, TerminateEnd::DryRun);
  EXPECT_EQ(
      report.reason,
      "dry run; would end python, PID 100, of alice (12.0 GiB), then python, PID 200, of alice (8.0 GiB), after the "
      "pre-hook with TERM, and KILL after 5 s; 0 B would be left, within the target of 5.0 GiB");
  EXPECT_TRUE(report.candidates[0].chosen);
  EXPECT_EQ(report.candidates[0].score, 2);
  EXPECT_EQ(report.candidates[1].score, 1);
  EXPECT_THAT(world.hooks, IsEmpty());
}

TEST_F(TerminatorTest, RunsThePreHookAndLooksAgain) {
  auto policy = executing();
  policy.pre_hook = "save";
  world.hook = [&]() -> Result<CommandOutcome> {
    big.used = 1_GiB;  // it has saved and given up most
    return CommandOutcome{CommandEnd::TimedOut, 0};
  };
  const auto report = run(10_GiB, policy);
  EXPECT_THAT(world.hooks,
              ElementsAre("save", "GPUMEM_GPU=0", "GPUMEM_PID=100", format_text("GPUMEM_BYTES={}", 12_GiB)));
  EXPECT_THAT(big.signals, IsEmpty());
  EXPECT_EQ(report.end, TerminateEnd::Enough);
  EXPECT_THAT(report.victims.front().record.detail, HasSubstr("the pre-hook was ended when its time was up"));
}

TEST_F(TerminatorTest, WaitsForTheMemoryOfOneThatEndsInItsPreHook) {
  auto policy = executing();
  policy.pre_hook = "save and quit";
  big.memory_lag = 3s;
  world.hook = [&]() -> Result<CommandOutcome> {
    world.end(big);
    return CommandOutcome{};
  };
  const auto report = run(8_GiB, policy);
  EXPECT_THAT(small.signals, IsEmpty()) << "the first one's end suffices";
  EXPECT_THAT(big.signals, IsEmpty());
  EXPECT_EQ(report.end, TerminateEnd::Enough);
  ASSERT_EQ(report.victims.size(), 1U);
  EXPECT_EQ(report.victims.front().record.end, TerminationEnd::WentByItself);
}

TEST_F(TerminatorTest, TheDryRunNamesNobodyWithoutTheDeviceOpen) {
  big.device_open = false;
  auto policy = executing();
  policy.mode = ActionMode::DryRun;
  const auto report = run(12_GiB, policy);
  EXPECT_THAT(report.reason, HasSubstr("would end python, PID 200"));
  EXPECT_EQ(report.candidates.back().reason, "PID 100 has no GPU's device file open");
}

TEST_F(TerminatorTest, AFailedPreHookChangesNothing) {
  auto policy = executing();
  policy.pre_hook = "save";
  world.hook = []() -> Result<CommandOutcome> { return fail(ErrorCode::Io, "no such file"); };
  const auto report = run(10_GiB, policy);
  EXPECT_THAT(big.signals, ElementsAre(SIGTERM));
  EXPECT_THAT(report.victims.front().record.detail, HasSubstr("the pre-hook failed: no such file"));
}

TEST_F(TerminatorTest, MemoryThatDoesNotComeBackLocksTheDevice) {
  big.memory_lag = 1h;
  auto terminator = world.terminator(executing());
  const auto began = world.clock->now();
  const auto first = terminator.run({.target_used = 1_GiB});
  EXPECT_EQ(first.end, TerminateEnd::Unverified);
  EXPECT_THAT(small.signals, IsEmpty()) << "no further kill there";
  EXPECT_LE(world.clock->now() - began, 31s);
  EXPECT_THAT(terminator.lock_reason(0), HasSubstr("its memory has not come back within 30 s"));
  EXPECT_EQ(terminator.run({.target_used = 1_GiB}).end, TerminateEnd::Locked);
  EXPECT_THAT(small.signals, IsEmpty());
  EXPECT_EQ(terminator.lock_reason(1), "") << "another device";
  terminator.unlock(0);
  EXPECT_EQ(terminator.run({.target_used = 1_GiB}).victims.size(), 1U);
  EXPECT_THAT(small.signals, ElementsAre(SIGTERM));
}

TEST_F(TerminatorTest, OneThatSurvivesKillLocksTheDevice) {
  big.ignores_term = big.survives_kill = true;
  const auto report = run(1_GiB);
  EXPECT_THAT(big.signals, ElementsAre(SIGTERM, SIGKILL));
  EXPECT_THAT(small.signals, IsEmpty());
  EXPECT_EQ(report.end, TerminateEnd::Unverified);
  EXPECT_THAT(report.victims.front().record.detail, HasSubstr("has not exited within 30 s of KILL"));
}

TEST_F(TerminatorTest, BeginsNothingThatTheDeadlineWouldCutShort) {
  auto terminator = world.terminator(executing());
  const auto report = terminator.run({.target_used = 1_GiB, .deadline = world.clock->now() + 10s});
  EXPECT_EQ(report.end, TerminateEnd::OutOfTime);
  EXPECT_THAT(big.signals, IsEmpty());
}

TEST_F(TerminatorTest, AStopDuringTheGraceSparesTheRest) {
  std::stop_source stop;
  big.ignores_term = true;
  big.at_term = [&](auto&) { stop.request_stop(); };
  auto terminator = world.terminator(executing());
  const auto report = terminator.run({.target_used = 1_GiB, .stop = stop.get_token()});
  EXPECT_THAT(big.signals, ElementsAre(SIGTERM)) << "no KILL from one who is not there any more";
  EXPECT_EQ(report.end, TerminateEnd::Unverified);
  EXPECT_NE(terminator.lock_reason(0), "");
}

TEST_F(TerminatorTest, ChoosesTheFastestGrowingByLookingTwice) {
  auto policy = executing();
  policy.victims.order = {VictimOrder::FastestGrowing};
  int measurements = 0;
  world.before_measure = [&] {
    if (++measurements == 2) small.used += 1_GiB;
  };
  const auto report = run(14_GiB, policy);
  EXPECT_THAT(small.signals, ElementsAre(SIGTERM));
  EXPECT_THAT(big.signals, IsEmpty());
  EXPECT_THAT(report.victims.front().candidates.front().reason, HasSubstr("grows by +1.0 GiB/s"));
}

TEST_F(TerminatorTest, EndsAJobWithAllItsProcesses) {
  auto policy = executing();
  policy.victims.unit = VictimUnit::Group;
  auto& helper = world.add(101, 0, "loader");
  big.job = helper.job = 100;
  helper.info.group = 100;
  (void)run(8_GiB, policy);
  EXPECT_THAT(big.signals, ElementsAre(SIGTERM));
  EXPECT_THAT(helper.signals, ElementsAre(SIGTERM));
  EXPECT_THAT(small.signals, IsEmpty());
}

TEST_F(TerminatorTest, OneMemberThatMayNotBeEndedSparesTheJob) {
  auto policy = executing();
  policy.victims.unit = VictimUnit::Group;
  auto& helper = world.add(101, 0, "sshd");
  big.job = helper.job = 100;
  helper.info.group = 100;
  (void)run(12_GiB, policy);
  EXPECT_THAT(big.signals, IsEmpty());
  EXPECT_THAT(helper.signals, IsEmpty());
  EXPECT_THAT(small.signals, ElementsAre(SIGTERM));
}

TEST_F(TerminatorTest, ARungAnswersWithItsCandidates) {
  auto terminator = std::make_shared<Terminator>(executing(), world.memory_port(), world.process_port(), world.clock);
  const auto strategy = terminate_strategy(terminator);
  RecoveryRequest request;
  request.reading = reading_of(20_GiB);
  request.target_used = 1_GiB;
  request.deadline = world.clock->now() + 10min;
  const auto answer = strategy(request);
  EXPECT_TRUE(answer.succeeded);
  ASSERT_EQ(answer.candidates.size(), 2U);
  EXPECT_TRUE(answer.candidates[0].chosen);
  EXPECT_TRUE(answer.candidates[1].chosen);
  EXPECT_THAT(answer.detail, HasSubstr("PID 200"));
}

}  // namespace
}  // namespace dualgpuopt::memory
