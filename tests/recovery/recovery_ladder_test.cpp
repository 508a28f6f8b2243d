#include "dualgpuopt/memory/recovery/recovery_ladder.h"

#include <gmock/gmock.h>

#include <atomic>
#include <stdexcept>
#include <thread>

#include "recovery/gate.h"
#include "recovery/scripted_device.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using namespace testing;
using ::testing::HasSubstr;
using enum RecoveryStrategy;

/// A virtual clock on which a stop is requested as soon as somebody sleeps.
class StoppingClock final : public Clock {
 public:
  [[nodiscard]] MonoTime now() const override { return {}; }
  [[nodiscard]] std::optional<WallTime> wall_now() const override { return std::nullopt; }
  bool sleep_until(MonoTime, const std::stop_token&) override {
    stop.request_stop();
    return false;
  }

  std::stop_source stop;
};

class RecoveryLadderTest : public ::testing::Test {
 protected:
  RecoveryLadderTest() { devices_->set_used(0, 23_GiB); }

  static LadderConfig hasty() {
    LadderConfig config;
    config.rung_time_limit = 1ms;
    return config;
  }

  /// A strategy that frees this much of the device it is asked for, and writes down that it ran.
  RecoveryCallback freeing(Bytes bytes) {
    return [devices = devices_, ran = ran_, bytes](const RecoveryRequest& request) {
      devices->free(request.gpu, bytes);
      ran->fetch_add(1);
      return StrategyAnswer{true, "freed " + format_bytes(bytes)};
    };
  }

  Decision climb(RecoveryLadder& ladder, const ClimbEvidence& evidence = evidence_of(23_GiB)) {
    return ladder.climb(evidence, *devices_, clock_, stop_.get_token());
  }

  [[nodiscard]] int ran() const { return ran_->load(); }

  const std::shared_ptr<ScriptedDevices> devices_ = std::make_shared<ScriptedDevices>();
  const std::shared_ptr<std::atomic<int>> ran_ = std::make_shared<std::atomic<int>>(0);
  VirtualClock clock_;
  std::stop_source stop_;
};

TEST_F(RecoveryLadderTest, ClimbsUntilTheDriverShowsTheHeadroom) {
  RecoveryLadder ladder({});
  ladder.register_strategy(ClearCache, freeing(1_GiB));
  ladder.register_strategy(ReduceBatch, freeing(6_GiB));
  ladder.register_strategy(Offload, freeing(6_GiB));
  const auto decision = climb(ladder);
  EXPECT_EQ(decision.end, DecisionEnd::TargetReached);
  EXPECT_EQ(decision.reason, "use fell from 23.0 GiB to 16.0 GiB, under the target of 18.0 GiB, after reduce_batch");
  EXPECT_EQ(decision.rungs.size(), 2U);
  EXPECT_EQ(decision.rungs.at(0).detail, "freed 1.0 GiB");
  EXPECT_EQ(ran(), 2);
  EXPECT_EQ(devices_->measurements(), 3);
  EXPECT_EQ(decision.took, 1s) << "two settlings on the virtual clock";
}

TEST_F(RecoveryLadderTest, RunsNoCallbackOnSimulatedOrReplayedReadings) {
  RecoveryLadder ladder({});
  for (const auto strategy : all_strategies()) ladder.register_strategy(strategy, freeing(20_GiB));
  for (const auto provenance : {Provenance::Simulated, Provenance::Replayed}) {
    EXPECT_EQ(climb(ladder, evidence_of(23_GiB, Level::Emergency, provenance)).end, DecisionEnd::DryRun);
  }
  EXPECT_EQ(ran(), 0);
  EXPECT_EQ(devices_->measurements(), 0);
}

TEST_F(RecoveryLadderTest, SeesThroughACallbackThatLies) {
  RecoveryLadder ladder({});
  ladder.register_strategy(ClearCache, freeing(0));
  const auto decision = climb(ladder);
  EXPECT_EQ(decision.end, DecisionEnd::LadderExhausted);
  EXPECT_EQ(decision.rungs.at(0).outcome, RungOutcome::FreedNothing);
  EXPECT_EQ(decision.freed, 0);
}

TEST_F(RecoveryLadderTest, RecordsACallbackThatTakesMoreMemory) {
  RecoveryLadder ladder({});
  ladder.register_strategy(ClearCache, [devices = devices_](const RecoveryRequest&) {
    devices->set_used(0, 24_GiB);
    return StrategyAnswer{true, ""};
  });
  const auto decision = climb(ladder);
  EXPECT_EQ(decision.rungs.at(0).outcome, RungOutcome::FreedNothing);
  EXPECT_EQ(decision.freed, -static_cast<SignedBytes>(1_GiB));
}

TEST_F(RecoveryLadderTest, GoesOnAfterACallbackThatThrows) {
  RecoveryLadder ladder({});
  ladder.register_strategy(ClearCache,
                           [](const RecoveryRequest&) -> StrategyAnswer { throw std::runtime_error("no cache"); });
  ladder.register_strategy(Offload, freeing(10_GiB));
  const auto decision = climb(ladder);
  EXPECT_EQ(decision.rungs.at(0).outcome, RungOutcome::Failed);
  EXPECT_EQ(decision.rungs.at(0).detail, "no cache");
  EXPECT_EQ(decision.end, DecisionEnd::TargetReached);
}

TEST_F(RecoveryLadderTest, AbandonsACallbackThatHangsAndPassesItOverUntilItReturns) {
  const auto gate = make_gate();
  const OpenAtEnd at_end(gate);
  RecoveryLadder ladder(hasty());
  ladder.register_strategy(ClearCache, [gate](const RecoveryRequest&) {
    gate->wait();
    return StrategyAnswer{true, "late"};
  });
  const auto first = climb(ladder);
  EXPECT_EQ(first.rungs.at(0).outcome, RungOutcome::TimedOut);
  EXPECT_EQ(first.end, DecisionEnd::LadderExhausted);

  const auto second = climb(ladder);
  EXPECT_EQ(second.rungs.at(0).outcome, RungOutcome::TimedOut);
  EXPECT_THAT(second.rungs.at(0).detail, HasSubstr("not called"));
}

TEST_F(RecoveryLadderTest, EndsWhenTheDeviceIsLostDuringARung) {
  RecoveryLadder ladder({});
  ladder.register_strategy(ClearCache, [devices = devices_](const RecoveryRequest&) {
    devices->lose("GPU is lost");
    return StrategyAnswer{true, ""};
  });
  ladder.register_strategy(Offload, freeing(10_GiB));
  EXPECT_EQ(climb(ladder).end, DecisionEnd::MeasurementLost);
  EXPECT_EQ(ran(), 0);
}

TEST_F(RecoveryLadderTest, TakesDevicesOneAfterAnother) {
  RecoveryLadder ladder({});
  devices_->set_used(1, 22_GiB);
  ladder.register_strategy(ClearCache, freeing(8_GiB));
  const auto first = climb(ladder, evidence_of(23_GiB));
  const auto second = climb(ladder, evidence_of(22_GiB, Level::Critical, Provenance::Driver, 1));
  EXPECT_EQ(first.id, 1U);
  EXPECT_EQ(second.id, 2U);
  EXPECT_EQ(second.gpu, 1);
  EXPECT_EQ(first.rungs.at(0).used_after, 15_GiB);
  EXPECT_EQ(second.rungs.at(0).used_after, 14_GiB);
}

// --- When a climb is due ---

TEST_F(RecoveryLadderTest, IsDueFromTheTriggerUp) {
  const RecoveryLadder ladder({});
  EXPECT_FALSE(ladder.is_due(evidence_at(Level::Warning, 0), {}));
  EXPECT_TRUE(ladder.is_due(evidence_at(Level::Critical, 0), {}));
  EXPECT_TRUE(ladder.is_due(evidence_at(Level::Emergency, 0), {}));
}

TEST_F(RecoveryLadderTest, CoolsDownDeviceByDevice) {
  RecoveryLadder ladder({});
  ladder.register_strategy(ClearCache, freeing(1_GiB));
  (void)climb(ladder, evidence_of(23_GiB, Level::Critical));
  const auto end = clock_.now();
  EXPECT_FALSE(ladder.is_due(evidence_at(Level::Critical, 0), end + 30s - 1ns));
  EXPECT_TRUE(ladder.is_due(evidence_at(Level::Critical, 0), end + 30s));
  EXPECT_TRUE(ladder.is_due(evidence_at(Level::Critical, 1), end));
}

TEST_F(RecoveryLadderTest, DoesNotLetAHigherLevelWaitForTheCooldown) {
  RecoveryLadder ladder({});
  ladder.register_strategy(ClearCache, freeing(1_GiB));
  (void)climb(ladder, evidence_of(22_GiB, Level::Critical));
  EXPECT_FALSE(ladder.is_due(evidence_at(Level::Critical, 0), clock_.now()));
  EXPECT_TRUE(ladder.is_due(evidence_at(Level::Emergency, 0), clock_.now()));
  (void)climb(ladder, evidence_of(23_GiB, Level::Emergency));
  EXPECT_FALSE(ladder.is_due(evidence_at(Level::Emergency, 0), clock_.now()));
}

TEST_F(RecoveryLadderTest, CoolsDownAfterADryRunAndWithoutRungsToo) {
  RecoveryLadder ladder({});
  EXPECT_EQ(climb(ladder).end, DecisionEnd::NoRungs);
  EXPECT_FALSE(ladder.is_due(evidence_at(Level::Critical, 0), clock_.now()));
  const auto replayed = evidence_of(23_GiB, Level::Critical, Provenance::Replayed, 1);
  EXPECT_EQ(climb(ladder, replayed).end, DecisionEnd::DryRun);
  EXPECT_FALSE(ladder.is_due(evidence_at(Level::Critical, 1), clock_.now()));
}

TEST_F(RecoveryLadderTest, DoesNotTryARungAgainAndAgainThatFreesNothing) {
  RecoveryLadder ladder({});
  ladder.register_strategy(ClearCache, freeing(0));
  ladder.register_strategy(Offload, freeing(1_MiB));
  for (int i = 0; i < 2; ++i) (void)climb(ladder);
  EXPECT_EQ(ran(), 4);
  ladder.register_strategy(Offload, freeing(1_GiB));
  const auto decision = climb(ladder);
  EXPECT_EQ(ran(), 5) << "another offload may do better, the cache rests";
  EXPECT_EQ(decision.rungs.at(0).outcome, RungOutcome::Skipped);
  EXPECT_EQ(decision.rungs.at(1).outcome, RungOutcome::Freed);
}

TEST_F(RecoveryLadderTest, IsNotDueWhileEveryRungRests) {
  RecoveryLadder ladder({});
  ladder.register_strategy(ClearCache, freeing(0));
  for (int i = 0; i < 2; ++i) (void)climb(ladder);
  EXPECT_FALSE(ladder.is_due(evidence_at(Level::Critical, 0), clock_.now() + 31s)) << "the cooldown is over";
  EXPECT_TRUE(ladder.is_due(evidence_at(Level::Critical, 0), clock_.now() + 60s));
  EXPECT_TRUE(ladder.is_due(evidence_at(Level::Emergency, 0), clock_.now()));
  ladder.register_strategy(Offload, freeing(0));
  EXPECT_TRUE(ladder.is_due(evidence_at(Level::Critical, 0), clock_.now() + 31s)) << "there is something new to try";
}

TEST_F(RecoveryLadderTest, GivesARungItsOwnTimeLimit) {
  const auto gate = make_gate();
  const OpenAtEnd at_end(gate);
  LadderConfig config;
  config.limits[ClearCache].time_limit = 1ms;
  RecoveryLadder ladder(config);
  ladder.register_strategy(ClearCache, [gate](const RecoveryRequest&) {
    gate->wait();
    return StrategyAnswer{};
  });
  EXPECT_EQ(climb(ladder).rungs.at(0).outcome, RungOutcome::TimedOut);
}

// --- By a forecast ---

TEST_F(RecoveryLadderTest, IsDueByAForecastWhereThereIsARung) {
  RecoveryLadder ladder({});
  EXPECT_FALSE(ladder.is_due(foreseen_evidence(12_GiB, 10s), {})) << "nobody to call";
  EXPECT_TRUE(ladder.is_due(foreseen_evidence(12_GiB, 10s, {}, Provenance::Replayed), {})) << "a dry run calls nobody";
  ladder.register_strategy(Terminate, freeing(1_GiB));
  EXPECT_FALSE(ladder.is_due(foreseen_evidence(12_GiB, 10s), {})) << "a forecast terminates nothing";
  ladder.register_strategy(ClearCache, freeing(1_GiB));
  EXPECT_TRUE(ladder.is_due(foreseen_evidence(12_GiB, 10s), {}));
  (void)climb(ladder, foreseen_evidence(12_GiB, 10s));
  EXPECT_FALSE(ladder.is_due(foreseen_evidence(12_GiB, 10s), clock_.now())) << "it cools down";
  EXPECT_TRUE(ladder.is_due(evidence_at(Level::Critical, 0), clock_.now())) << "not for what is worse";
}

TEST_F(RecoveryLadderTest, LearnsHowLongRecoveryTakes) {
  RecoveryLadder ladder({});
  EXPECT_EQ(ladder.recovery_time(), 3 * 10500ms) << "three rungs of 10 s at most, each settling for 0.5 s";
  ladder.register_strategy(ClearCache, freeing(1_GiB));
  EXPECT_EQ(ladder.recovery_time(), 10500ms);
  (void)climb(ladder);
  EXPECT_EQ(ladder.recovery_time(), 500ms) << "on the virtual clock only the settling takes time";
}

// --- Registering ---

TEST_F(RecoveryLadderTest, KeepsTheLastCallbackOfAKindAndForgetsOnRequest) {
  RecoveryLadder ladder({});
  ladder.register_strategy(ClearCache, freeing(1_GiB));
  ladder.register_strategy(ClearCache, freeing(8_GiB));
  EXPECT_EQ(climb(ladder).rungs.at(0).detail, "freed 8.0 GiB");
  ladder.register_strategy(ClearCache, nullptr);
  EXPECT_EQ(climb(ladder).end, DecisionEnd::NoRungs);
}

TEST_F(RecoveryLadderTest, LetsACallbackRegisterAndRemoveStrategies) {
  RecoveryLadder ladder({});
  ladder.register_strategy(ClearCache, [&](const RecoveryRequest&) {
    ladder.register_strategy(ClearCache, nullptr);
    ladder.register_strategy(ReduceBatch, nullptr);
    ladder.register_strategy(Offload, freeing(10_GiB));
    return StrategyAnswer{};
  });
  ladder.register_strategy(ReduceBatch, freeing(0));
  ladder.register_strategy(Offload, freeing(0));
  const auto decision = climb(ladder);
  ASSERT_EQ(decision.rungs.size(), 3U);
  EXPECT_EQ(decision.rungs[1].outcome, RungOutcome::Failed);
  EXPECT_EQ(decision.rungs[1].detail, "its strategy was removed during the climb");
  EXPECT_EQ(decision.rungs[2].detail, "freed 10.0 GiB");
  EXPECT_EQ(ran(), 1);
}

TEST_F(RecoveryLadderTest, LetsACallbacksDestructorUseTheLadder) {
  RecoveryLadder ladder({});
  const auto last_words = [&](void*) { ladder.register_strategy(Offload, freeing(1_GiB)); };
  ladder.register_strategy(ClearCache, [held = std::shared_ptr<void>(&ladder, last_words)](const RecoveryRequest&) {
    return StrategyAnswer{};
  });
  ladder.register_strategy(ClearCache, nullptr);
  EXPECT_EQ(climb(ladder).rungs.at(0).strategy, Offload);
}

TEST_F(RecoveryLadderTest, TakesRegistrationsWhileItClimbs) {
  RecoveryLadder ladder({});
  std::atomic<bool> done = false;
  std::jthread registering([&] {
    while (!done) {
      ladder.register_strategy(ClearCache, freeing(1_MiB));
      (void)ladder.is_due(evidence_at(Level::Critical, 0), {});
      ladder.register_strategy(ClearCache, nullptr);
    }
  });
  for (int i = 0; i < 50; ++i) (void)climb(ladder);
  done = true;
}

// --- Stopping ---

TEST_F(RecoveryLadderTest, StopsBeforeItBegins) {
  RecoveryLadder ladder({});
  ladder.register_strategy(ClearCache, freeing(8_GiB));
  stop_.request_stop();
  EXPECT_EQ(climb(ladder).end, DecisionEnd::Stopped);
  EXPECT_EQ(ran(), 0);
}

TEST_F(RecoveryLadderTest, StopsWhileARungSettles) {
  RecoveryLadder ladder({});
  ladder.register_strategy(ClearCache, freeing(8_GiB));
  ladder.register_strategy(Offload, freeing(8_GiB));
  StoppingClock clock;
  const auto decision = ladder.climb(evidence_of(23_GiB), *devices_, clock, clock.stop.get_token());
  EXPECT_EQ(decision.end, DecisionEnd::Stopped);
  EXPECT_EQ(decision.reason, "the monitor stopped after clear_cache");
  EXPECT_EQ(decision.rungs.at(0).outcome, RungOutcome::Unverified);
  EXPECT_EQ(ran(), 1);
}

TEST_F(RecoveryLadderTest, StopsWhileACallbackRuns) {
  const auto gate = make_gate();
  const OpenAtEnd at_end(gate);
  RecoveryLadder ladder({});
  ladder.register_strategy(ClearCache, [gate, stop = stop_](const RecoveryRequest&) mutable {
    stop.request_stop();
    gate->wait();
    return StrategyAnswer{true, ""};
  });
  const auto decision = climb(ladder);
  EXPECT_EQ(decision.end, DecisionEnd::Stopped);
  EXPECT_EQ(decision.reason, "the monitor stopped while clear_cache ran");
  EXPECT_EQ(devices_->measurements(), 1);
}

}  // namespace
}  // namespace dualgpuopt::memory
