#include "dualgpuopt/memory/recovery/climb.h"

#include <gmock/gmock.h>

#include "recovery/climb_hand.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using namespace testing;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using enum RecoveryStrategy;

LadderConfig by_callback() {
  LadderConfig config;
  config.verification = Verification::Callback;
  return config;
}

// --- Started by a forecast ---

TEST(ClimbByForecast, FreesRoomForTheForeseenGrowth) {
  // 4 GiB are free and gone in 40 s; the next climb has done its work in 30 s of cooldown, 45 s and 5 s of margin.
  const Hand hand(foreseen_evidence(20_GiB, 40s, 45s));
  ASSERT_TRUE(hand.wants<MeasureDevice>());
  Hand climbing = hand;
  climbing.measure(20_GiB).rung(ClearCache, 17_GiB).rung(ReduceBatch, 16_GiB);
  const auto decision = climbing.decision();
  EXPECT_EQ(decision.cause, ClimbCause::Forecast);
  EXPECT_EQ(decision.target_used, 16_GiB);
  EXPECT_EQ(decision.end, DecisionEnd::TargetReached);
}

TEST(ClimbByForecast, TerminatesNothing) {
  for (const auto& config : {LadderConfig(), by_callback()}) {
    auto evidence = foreseen_evidence(23_GiB, 1s, 45s);
    evidence.level = Level::Emergency;
    Hand hand(evidence, config, {Terminate});
    if (hand.wants<MeasureDevice>()) hand.measure(23_GiB + 512_MiB);
    const auto decision = hand.decision();
    EXPECT_EQ(decision.end, DecisionEnd::LadderExhausted);
    EXPECT_EQ(decision.rungs.at(0).detail, "not run: a forecast terminates nothing");
  }
}

// --- Nothing is done without a driver's word ---

TEST(ClimbDryRun, NeverRunsOnSimulatedOrReplayedReadings) {
  for (const auto provenance : {Provenance::Simulated, Provenance::Replayed}) {
    for (const auto& config : {LadderConfig(), by_callback()}) {
      const Hand hand(evidence_of(23_GiB, Level::Emergency, provenance), config);
      ASSERT_TRUE(hand.wants<ClimbFinished>());
      const auto decision = hand.decision();
      EXPECT_EQ(decision.end, DecisionEnd::DryRun);
      EXPECT_EQ(decision.mode, ActionMode::DryRun);
      EXPECT_EQ(decision.provenance, provenance);
      EXPECT_FALSE(decision.freed);
    }
  }
}

TEST(ClimbDryRun, ListsTheConfiguredRungsAndWhatTheyLack) {
  const auto decision =
      Hand(evidence_of(23_GiB, Level::Emergency, Provenance::Replayed), {}, {ClearCache, Terminate}).decision();
  ASSERT_EQ(decision.rungs.size(), 4U);
  for (const auto& rung : decision.rungs) {
    EXPECT_EQ(rung.outcome, RungOutcome::WouldRun);
    EXPECT_EQ(rung.used_before, 23_GiB);
    EXPECT_FALSE(rung.used_after);
  }
  EXPECT_EQ(decision.rungs[0].detail, "");
  EXPECT_EQ(decision.rungs[1].detail, "no strategy is registered");
  EXPECT_EQ(decision.rungs[3].detail, "");
  EXPECT_EQ(decision.reason, "dry run: readings are replayed; would try clear_cache, reduce_batch, offload, terminate");
}

TEST(ClimbDryRun, DoesNotPromiseToTerminateWithoutAnEmergency) {
  const auto decision = Hand(evidence_of(23_GiB, Level::Critical, Provenance::Replayed)).decision();
  EXPECT_EQ(decision.reason, "dry run: readings are replayed; would try clear_cache, reduce_batch, offload");
  EXPECT_THAT(decision.rungs[3].detail, StartsWith("not run: it needs the emergency level"));
}

TEST(ClimbDryRun, IsAModeForDriversToo) {
  LadderConfig config;
  config.mode = ActionMode::DryRun;
  config.rungs = {Offload};
  const auto decision = Hand(evidence_of(23_GiB), config).decision();
  EXPECT_EQ(decision.end, DecisionEnd::DryRun);
  EXPECT_EQ(decision.reason, "dry run: the ladder is set to it; would try offload");
}

// --- The record ---

TEST(Climb, RecordsTheEvidence) {
  auto evidence = evidence_of(23_GiB, Level::Emergency);
  evidence.gpu = 1;
  evidence.forecast = Forecast();
  evidence.forecast->risk = 0.5;
  const auto decision = Hand(evidence, {}, {}).decision();
  EXPECT_EQ(decision.id, 7U);
  EXPECT_EQ(decision.gpu, 1);
  EXPECT_EQ(decision.started.mono, MonoTime(100s));
  EXPECT_EQ(decision.level, Level::Emergency);
  EXPECT_EQ(decision.mode, ActionMode::Execute);
  EXPECT_EQ(decision.evidence.memory, evidence.reading.memory);
  EXPECT_EQ(decision.forecast, evidence.forecast);
  EXPECT_EQ(decision.target_used, 18_GiB);
}

TEST(Climb, HasNothingToClimbWithoutRegisteredRungs) {
  LadderConfig config;
  config.rungs = {Offload};
  const auto decision = Hand(evidence_of(23_GiB), config, {ClearCache}).decision();
  EXPECT_EQ(decision.end, DecisionEnd::NoRungs);
  EXPECT_EQ(decision.reason, "no strategy is registered for offload");
  EXPECT_TRUE(decision.rungs.empty());
}

TEST(Climb, RefusesEvidenceWithoutATotal) {
  auto evidence = evidence_of(23_GiB);
  evidence.reading.memory = MemoryUse::from_used_and_total(23_GiB, std::nullopt);
  EXPECT_EQ(Hand(evidence).decision().end, DecisionEnd::MeasurementLost);
  evidence.reading = lost("no");
  EXPECT_EQ(Hand(evidence).decision().end, DecisionEnd::MeasurementLost);
  EXPECT_EQ(Hand(evidence, by_callback()).decision().end, DecisionEnd::MeasurementLost);
}

// --- Limits of single rungs ---

TEST(ClimbLimits, GiveARungItsOwnTimes) {
  LadderConfig config;
  config.limits[ClearCache] = {.time_limit = 2s, .settle = 100ms};
  Hand hand(evidence_of(23_GiB), config);
  hand.measure(23_GiB);
  EXPECT_EQ(hand.request().deadline, hand.now() + 2s);
  hand.answer(ClearCache);
  EXPECT_EQ(hand.settle_end(), hand.now() + 100ms);
  hand.settle().measure(23_GiB);
  EXPECT_EQ(hand.request().deadline, hand.now() + 10s) << "of the next rung";
}

TEST(ClimbLimits, KeepARungForHigherLevels) {
  LadderConfig config;
  config.rungs = {Offload};
  config.limits[Offload] = {.from = Level::Emergency};
  const auto decision = Hand(evidence_of(23_GiB), config).measure(23_GiB).decision();
  EXPECT_EQ(decision.rungs.at(0).outcome, RungOutcome::Skipped);
  EXPECT_EQ(decision.rungs.at(0).detail, "not run: it is from emergency on, and the level is critical");
  Hand emergency(evidence_of(23_GiB, Level::Emergency), config);
  EXPECT_EQ(emergency.measure(23_GiB).request().strategy, Offload);
}

TEST(ClimbLimits, KeepARungFromForecasts) {
  LadderConfig config;
  config.rungs = {Offload};
  config.limits[Offload] = {.by_forecast = false};
  const auto decision = Hand(foreseen_evidence(23_GiB, Seconds(1)), config).measure(23_GiB).decision();
  EXPECT_EQ(decision.rungs.at(0).detail, "not run: not for a forecast");
}

TEST(ClimbLimits, LetARungRest) {
  Climb climb({}, all_strategies(), evidence_of(23_GiB), {}, 1, {{ClearCache, {MonoTime(40s), 3}}});
  climb.on_measured(reading_of(23_GiB), {});
  EXPECT_EQ(std::get<RunStrategy>(climb.next()).request.strategy, ReduceBatch);
  climb.on_stopped({});
  const auto rung = std::get<ClimbFinished>(climb.next()).decision.rungs.at(0);
  EXPECT_EQ(rung.outcome, RungOutcome::Skipped);
  EXPECT_EQ(rung.detail, "not run: it freed nothing 3 times in a row, and rests for 40 s more");
}

// --- Use that falls by itself ---

TEST(ClimbHandOver, WaitsWhileUseFallsToTheTarget) {
  Hand hand(evidence_of(23_GiB));
  hand.measure(21_GiB);
  EXPECT_TRUE(hand.wants<SettleUntil>()) << "2 GiB more in the same time, and 1 after that";
  const auto decision = hand.settle().measure(19_GiB).settle().measure(17_GiB).decision();
  EXPECT_EQ(decision.end, DecisionEnd::NothingToDo);
  EXPECT_EQ(decision.reason, "use fell from 23.0 GiB to 17.0 GiB by itself, under the target of 18.0 GiB");
  EXPECT_TRUE(decision.rungs.empty());
}

TEST(ClimbHandOver, KnowsOfAFallBeforeTheEvidence) {
  auto evidence = evidence_of(21_GiB);
  evidence.used_before = 23_GiB;
  Hand hand(evidence);
  EXPECT_TRUE(hand.measure(21_GiB).wants<SettleUntil>());
  Hand rising(evidence);
  EXPECT_TRUE(rising.measure(22_GiB).wants<RunStrategy>()) << "that fall is over";
}

TEST(ClimbHandOver, GoesOnWhenTheFallEnds) {
  Hand hand(evidence_of(23_GiB));
  EXPECT_EQ(hand.measure(21_GiB).settle().measure(21_GiB).request().strategy, ClearCache);
}

TEST(ClimbHandOver, DoesNotWaitForASlowFall) {
  Hand hand(evidence_of(23_GiB));
  EXPECT_EQ(hand.measure(23_GiB - 512_MiB).request().strategy, ClearCache) << "4.5 GiB are above, 0.5 fell";
}

TEST(ClimbHandOver, WaitsForARungThatGoesOnFreeingBeforeItTerminates) {
  LadderConfig config;
  config.rungs = {ClearCache, Offload, Terminate};
  config.terminate_above_percent = 50;
  Hand hand(evidence_of(23_GiB, Level::Emergency), config);
  hand.measure(23_GiB).rung(ClearCache, 22_GiB).rung(Offload, 20_GiB);
  EXPECT_TRUE(hand.wants<SettleUntil>());
  EXPECT_EQ(hand.settle().measure(17_GiB).decision().end, DecisionEnd::TargetReached);
}

TEST(ClimbHandOver, StopsWithTheMonitor) {
  Hand hand(evidence_of(23_GiB));
  EXPECT_EQ(hand.measure(21_GiB).stop().decision().end, DecisionEnd::Stopped);
}

// --- What this process holds ---

constexpr pid_t kSelf = 4711;

std::shared_ptr<const ProcessList> holding(Bytes used) {
  const auto entry = [](pid_t pid, Bytes bytes) {
    return ProcessMemory{pid, 1, bytes, ProcessKind::Compute, "python", ProcessPresence::Alive};
  };
  return std::make_shared<const ProcessList>(ProcessList{{}, {entry(1, 1_GiB), entry(kSelf, used)}, ""});
}

Reading with_processes(Bytes used, std::shared_ptr<const ProcessList> processes) {
  auto reading = reading_of(used);
  reading.processes = std::move(processes);
  return reading;
}

ClimbEvidence of_this_process(Bytes own) {
  auto evidence = evidence_of(23_GiB);
  evidence.self = kSelf;
  evidence.processes = holding(own);
  return evidence;
}

TEST(ClimbOfAProcess, CountsWhatOthersTookAtOnce) {
  Hand hand(of_this_process(10_GiB));
  hand.measure(23_GiB).answer(ClearCache).settle().measure(with_processes(23_GiB, holding(8_GiB))).stop();
  const auto rung = hand.decision().rungs.at(0);
  EXPECT_EQ(rung.outcome, RungOutcome::Freed);
  EXPECT_EQ(rung.own_before, 10_GiB);
  EXPECT_EQ(rung.own_after, 8_GiB);
  EXPECT_EQ(rung.used_after, 23_GiB);
}

TEST(ClimbOfAProcess, GoesByTheDeviceWhereTheDriverDoesNotTell) {
  Hand hand(of_this_process(10_GiB));
  hand.measure(23_GiB).rung(ClearCache, 23_GiB).stop();
  EXPECT_EQ(hand.decision().rungs.at(0).outcome, RungOutcome::FreedNothing);
  EXPECT_FALSE(hand.decision().rungs.at(0).own_after);
}

TEST(ClimbOfAProcess, AsksForProcessesAfterARungAlone) {
  Climb climb({}, all_strategies(), of_this_process(10_GiB), {}, 1);
  EXPECT_EQ(std::get<MeasureDevice>(climb.next()).detail, ReadDetail::Memory) << "lists take milliseconds";
  climb.on_measured(reading_of(23_GiB), {});
  climb.on_answered({}, {});
  climb.on_settled({});
  EXPECT_EQ(std::get<MeasureDevice>(climb.next()).detail, ReadDetail::MemoryAndProcesses);
}

TEST(ClimbOfAProcess, KeepsTheCandidatesOfARung) {
  Hand hand(evidence_of(23_GiB));
  const Candidate candidate{"layer 7", 1_GiB, 0.5, true, "least used"};
  hand.measure(23_GiB).answer(ClearCache, {AnswerStatus::Answered, {true, "", {candidate}}}).stop();
  EXPECT_EQ(hand.decision().rungs.at(0).candidates, std::vector{candidate});
}

// --- Measured verification ---

TEST(ClimbMeasured, HasNothingToDoWhenUseFellByItself) {
  Hand hand(evidence_of(23_GiB));
  const auto decision = hand.measure(18_GiB).decision();
  EXPECT_EQ(decision.end, DecisionEnd::NothingToDo);
  EXPECT_EQ(decision.reason, "use fell from 23.0 GiB to 18.0 GiB by itself, at the target of 18.0 GiB");
  EXPECT_TRUE(decision.rungs.empty());
  EXPECT_FALSE(decision.freed);
  EXPECT_EQ(decision.took, 1s);
}

TEST(ClimbMeasured, AsksForWhatIsMissingByTheFreshReading) {
  Hand hand(evidence_of(22_GiB));
  const auto request = hand.measure(23_GiB).request();
  EXPECT_EQ(request.strategy, ClearCache);
  EXPECT_EQ(request.reading.memory->used, 23_GiB);
  EXPECT_EQ(request.target_used, 18_GiB);
  EXPECT_EQ(request.bytes_to_free, 5_GiB);
  EXPECT_EQ(request.deadline, hand.now() + 10s);
}

TEST(ClimbMeasured, StopsAtTheRungThatReachesTheTarget) {
  Hand hand(evidence_of(23_GiB));
  hand.measure(23_GiB).rung(ClearCache, 21_GiB, said(true, "emptied 2 pools")).rung(ReduceBatch, 17_GiB);
  const auto decision = hand.decision();
  EXPECT_EQ(decision.end, DecisionEnd::TargetReached);
  EXPECT_EQ(decision.reason, "use fell from 23.0 GiB to 17.0 GiB, under the target of 18.0 GiB, after reduce_batch");
  EXPECT_EQ(decision.freed, static_cast<SignedBytes>(6_GiB));
  EXPECT_EQ(decision.took, 7s);
  ASSERT_EQ(decision.rungs.size(), 2U);
  EXPECT_EQ(decision.rungs[0], (RungRecord{ClearCache, RungOutcome::Freed, "emptied 2 pools", 23_GiB, 21_GiB, 2s}));
  EXPECT_EQ(decision.rungs[1], (RungRecord{ReduceBatch, RungOutcome::Freed, "", 21_GiB, 17_GiB, 2s}));
}

TEST(ClimbMeasured, SettlesBeforeItMeasures) {
  Hand hand(evidence_of(23_GiB));
  hand.measure(23_GiB).answer(ClearCache);
  EXPECT_EQ(hand.settle_end(), hand.now() + 500ms);
}

TEST(ClimbMeasured, GoesByTheDriversCountAndNotByTheCallbacksWord) {
  Hand hand(evidence_of(23_GiB));
  hand.measure(23_GiB).rung(ClearCache, 23_GiB, said(true)).rung(ReduceBatch, 20_GiB, said(false, "could not"));
  hand.rung(Offload, 23_GiB, said(true));
  const auto decision = hand.decision();
  EXPECT_EQ(decision.rungs[0].outcome, RungOutcome::FreedNothing);
  EXPECT_EQ(decision.rungs[1].outcome, RungOutcome::Freed);
  EXPECT_EQ(decision.rungs[1].detail, "could not");
  EXPECT_EQ(decision.rungs[2].outcome, RungOutcome::FreedNothing);
}

TEST(ClimbMeasured, CountsNoFallWithinTheNoiseAsFreed) {
  LadderConfig config;
  config.rungs = {ClearCache, Offload};
  Hand hand(evidence_of(23_GiB), config);
  hand.measure(23_GiB).rung(ClearCache, 23_GiB - kFreedNoiseFloor);
  hand.rung(Offload, 23_GiB - 2 * kFreedNoiseFloor - 1);
  const auto decision = hand.decision();
  EXPECT_EQ(decision.rungs[0].outcome, RungOutcome::FreedNothing);
  EXPECT_EQ(decision.rungs[1].outcome, RungOutcome::Freed);
}

TEST(ClimbMeasured, SaysWhatIsMissingAfterTheLastRung) {
  LadderConfig config;
  config.rungs = {Offload, ClearCache};
  Hand hand(evidence_of(23_GiB), config);
  const auto decision = hand.measure(23_GiB).rung(Offload, 22_GiB).rung(ClearCache, 24_GiB).decision();
  EXPECT_EQ(decision.end, DecisionEnd::LadderExhausted);
  EXPECT_EQ(decision.reason, "use is 24.0 GiB, 6.0 GiB above the target of 18.0 GiB, after offload, clear_cache");
  EXPECT_EQ(decision.freed, -static_cast<SignedBytes>(1_GiB));
}

TEST(ClimbMeasured, PassesOverRungsThatAreNotRegistered) {
  Hand hand(evidence_of(23_GiB), {}, {Offload});
  EXPECT_EQ(hand.measure(23_GiB).rung(Offload, 23_GiB).decision().rungs.size(), 1U);
}

TEST(ClimbMeasured, MeasuresAfterARungThatFailedOrTimedOut) {
  Hand hand(evidence_of(23_GiB));
  hand.measure(23_GiB).rung(ClearCache, 20_GiB, threw("boom")).rung(ReduceBatch, 19_GiB, threw(""));
  hand.rung(Offload, 16_GiB, ended(AnswerStatus::TimedOut));
  const auto decision = hand.decision();
  EXPECT_EQ(decision.end, DecisionEnd::TargetReached);
  EXPECT_EQ(decision.rungs[0], (RungRecord{ClearCache, RungOutcome::Failed, "boom", 23_GiB, 20_GiB, 2s}));
  EXPECT_EQ(decision.rungs[1].detail, "failed without a text");
  EXPECT_EQ(decision.rungs[2], (RungRecord{Offload, RungOutcome::TimedOut, "no answer in time", 19_GiB, 16_GiB, 2s}));
}

TEST(ClimbMeasured, PassesOverABusyRungWithoutWaiting) {
  Hand hand(evidence_of(23_GiB));
  hand.measure(23_GiB).answer(ClearCache, ended(AnswerStatus::Busy)).rung(ReduceBatch, 10_GiB);
  const auto decision = hand.decision();
  EXPECT_EQ(decision.rungs[0].outcome, RungOutcome::TimedOut);
  EXPECT_THAT(decision.rungs[0].detail, HasSubstr("an earlier call has still not returned"));
  EXPECT_FALSE(decision.rungs[0].used_after);
  EXPECT_EQ(decision.end, DecisionEnd::TargetReached);
}

TEST(ClimbMeasured, EndsWhenTheDeviceCannotBeMeasured) {
  Hand at_first(evidence_of(23_GiB));
  const auto none = at_first.measure(lost("GPU is lost")).decision();
  EXPECT_EQ(none.end, DecisionEnd::MeasurementLost);
  EXPECT_EQ(none.reason, "GPU 0 could not be measured before the first rung: GPU is lost");

  Hand later(evidence_of(23_GiB));
  const auto one =
      later.measure(23_GiB).answer(ClearCache, said(true, "done")).settle().measure(lost("GPU is lost")).decision();
  EXPECT_EQ(one.end, DecisionEnd::MeasurementLost);
  EXPECT_EQ(one.reason, "GPU 0 could not be measured after clear_cache: GPU is lost");
  EXPECT_EQ(one.rungs.at(0), (RungRecord{ClearCache, RungOutcome::Unverified, "done; not measured: GPU is lost", 23_GiB,
                                         std::nullopt, 2s}));
  EXPECT_FALSE(one.freed);
}

TEST(ClimbMeasured, KeepsTheErrorOfARungThatIsNotMeasured) {
  Hand hand(evidence_of(23_GiB));
  const auto decision = hand.measure(23_GiB).answer(ClearCache, threw("boom")).settle().measure(lost("")).decision();
  EXPECT_EQ(decision.rungs.at(0).outcome, RungOutcome::Unverified);
  EXPECT_EQ(decision.rungs.at(0).detail, "boom; not measured: no reason is given");
}

TEST(ClimbMeasured, DoesNotActOnAMeasurementThatIsNotTheDrivers) {
  Hand hand(evidence_of(23_GiB));
  const auto decision = hand.measure(reading_of(23_GiB, 0, Provenance::Simulated)).decision();
  EXPECT_EQ(decision.end, DecisionEnd::MeasurementLost);
  EXPECT_THAT(decision.reason, HasSubstr("the reading is simulated"));
}

// --- Terminate ---

LadderConfig only_terminate() {
  LadderConfig config;
  config.rungs = {Terminate};
  return config;
}

constexpr Bytes kEmergencyUse = kTotal / 100 * 97;

TEST(ClimbTerminate, RunsInAnEmergencyThatTwoReadingsShow) {
  Hand hand(evidence_of(kEmergencyUse, Level::Emergency), only_terminate());
  EXPECT_EQ(hand.measure(kEmergencyUse).rung(Terminate, 3_GiB).decision().end, DecisionEnd::TargetReached);
}

TEST(ClimbTerminate, NeedsTheEmergencyLevel) {
  Hand hand(evidence_of(kEmergencyUse, Level::Critical), only_terminate());
  const auto decision = hand.measure(kEmergencyUse).decision();
  EXPECT_EQ(decision.end, DecisionEnd::LadderExhausted);
  EXPECT_THAT(decision.reason, HasSubstr("no rung may run"));
  ASSERT_EQ(decision.rungs.size(), 1U);
  EXPECT_EQ(decision.rungs[0].outcome, RungOutcome::Skipped);
  EXPECT_EQ(decision.rungs[0].detail, "not run: it needs the emergency level, and the level is critical");
}

TEST(ClimbTerminate, NeedsTheFreshReadingToBeAnEmergencyStill) {
  Hand hand(evidence_of(kEmergencyUse, Level::Emergency));
  hand.measure(kEmergencyUse).rung(ClearCache, kEmergencyUse).rung(ReduceBatch, kEmergencyUse).rung(Offload, 20_GiB);
  const auto decision = hand.decision();
  EXPECT_EQ(decision.end, DecisionEnd::LadderExhausted);
  EXPECT_EQ(decision.rungs.at(3).detail, "not run: it needs two readings above 95.0%, and one is 83.3%");
  EXPECT_THAT(decision.reason, HasSubstr("after clear_cache, reduce_batch, offload"));
}

TEST(ClimbTerminate, NeedsTheFirstReadingToBeAnEmergencyToo) {
  Hand hand(evidence_of(20_GiB, Level::Emergency), only_terminate());
  EXPECT_THAT(hand.measure(kEmergencyUse).decision().rungs.at(0).detail, HasSubstr("one is 83.3%"));
}

TEST(ClimbTerminate, NeedsToKnowThePercentage) {
  Hand hand(evidence_of(kEmergencyUse, Level::Emergency), only_terminate());
  auto reading = reading_of(kEmergencyUse);
  reading.memory = MemoryUse::from_used_and_total(kEmergencyUse, std::nullopt);
  EXPECT_THAT(hand.measure(reading).decision().rungs.at(0).detail, HasSubstr("use is not known in percent"));
}

TEST(ClimbTerminate, IsNeverRunAboveAHundredPercent) {
  auto config = only_terminate();
  config.terminate_above_percent = 100;
  Hand hand(evidence_of(kTotal, Level::Emergency), config);
  EXPECT_EQ(hand.measure(kTotal).decision().end, DecisionEnd::LadderExhausted);
}

TEST(ClimbTerminate, MayStandBeforeOtherRungs) {
  LadderConfig config;
  config.rungs = {Terminate, ClearCache};
  Hand hand(evidence_of(23_GiB), config);
  const auto decision = hand.measure(23_GiB).rung(ClearCache, 10_GiB).decision();
  EXPECT_EQ(decision.end, DecisionEnd::TargetReached);
  EXPECT_EQ(decision.rungs.size(), 2U);
}

// --- Verification by callback ---

TEST(ClimbByCallback, EndsAtTheFirstSuccessWithoutMeasuring) {
  Hand hand(evidence_of(23_GiB), by_callback());
  hand.answer(ClearCache, said(false)).answer(ReduceBatch, threw("boom")).answer(Offload, said(true, "moved"));
  const auto decision = hand.decision();
  EXPECT_EQ(decision.end, DecisionEnd::TargetReached);
  EXPECT_EQ(decision.reason, "offload succeeded by its callback's word; nothing was measured");
  EXPECT_FALSE(decision.freed);
  ASSERT_EQ(decision.rungs.size(), 3U);
  EXPECT_EQ(decision.rungs[0].outcome, RungOutcome::FreedNothing);
  EXPECT_EQ(decision.rungs[1].outcome, RungOutcome::Failed);
  EXPECT_EQ(decision.rungs[2], (RungRecord{Offload, RungOutcome::Freed, "moved", 23_GiB, std::nullopt, 1s}));
}

TEST(ClimbByCallback, TakesNoSuccessFromOneThatDidNotAnswer) {
  Hand hand(evidence_of(23_GiB), by_callback());
  hand.answer(ClearCache, {AnswerStatus::TimedOut, {true, ""}}).answer(ReduceBatch, {AnswerStatus::Busy, {true, ""}});
  hand.answer(Offload, {AnswerStatus::Threw, {true, ""}}).answer(Terminate, said(false));
  EXPECT_EQ(hand.decision().end, DecisionEnd::LadderExhausted);
  EXPECT_EQ(hand.decision().reason, "no callback succeeded: tried clear_cache, reduce_batch, offload, terminate");
}

TEST(ClimbByCallback, AsksForNothingWhenTheTargetIsMet) {
  EXPECT_EQ(Hand(evidence_of(10_GiB), by_callback()).request().bytes_to_free, 0U);
}

// --- Stopping ---

TEST(ClimbStop, EndsBeforeTheFirstRung) {
  Hand hand(evidence_of(23_GiB));
  EXPECT_EQ(hand.stop().decision().reason, "the monitor stopped before the first rung");
  Hand measured(evidence_of(23_GiB));
  const auto decision = measured.measure(23_GiB).stop().decision();
  EXPECT_EQ(decision.end, DecisionEnd::Stopped);
  EXPECT_TRUE(decision.rungs.empty());
}

TEST(ClimbStop, RecordsTheRungThatRan) {
  Hand hand(evidence_of(23_GiB));
  const auto decision = hand.measure(23_GiB).answer(ClearCache, ended(AnswerStatus::Stopped)).decision();
  EXPECT_EQ(decision.end, DecisionEnd::Stopped);
  EXPECT_EQ(decision.reason, "the monitor stopped while clear_cache ran");
  EXPECT_EQ(decision.rungs.at(0).outcome, RungOutcome::Unverified);
  EXPECT_EQ(decision.rungs.at(0).detail, "abandoned: the monitor stopped while it ran");
}

TEST(ClimbStop, LeavesASettlingRungUnverified) {
  Hand hand(evidence_of(23_GiB));
  const auto decision = hand.measure(23_GiB).answer(ClearCache, said(true, "done")).stop().decision();
  EXPECT_EQ(decision.end, DecisionEnd::Stopped);
  EXPECT_EQ(decision.reason, "the monitor stopped after clear_cache");
  EXPECT_EQ(decision.rungs.at(0), (RungRecord{ClearCache, RungOutcome::Unverified,
                                              "done; not measured: the monitor stopped", 23_GiB, std::nullopt, 2s}));
}

TEST(ClimbStop, LeavesVerifiedRungsAsTheyAre) {
  Hand hand(evidence_of(23_GiB));
  const auto decision = hand.measure(23_GiB).rung(ClearCache, 22_GiB, said(true, "done")).stop().decision();
  EXPECT_EQ(decision.rungs.size(), 1U);
  EXPECT_EQ(decision.rungs.at(0).outcome, RungOutcome::Freed);
  EXPECT_EQ(decision.rungs.at(0).detail, "done");
}

TEST(ClimbStop, KeepsWhatWasFreedBefore) {
  Hand hand(evidence_of(23_GiB));
  const auto decision = hand.measure(23_GiB).rung(ClearCache, 22_GiB).answer(ReduceBatch).settle().stop().decision();
  EXPECT_EQ(decision.freed, static_cast<SignedBytes>(1_GiB));
  EXPECT_EQ(decision.rungs.at(1).took, 2s);
}

// --- The machine itself ---

TEST(Climb, IgnoresEventsThatItDidNotAskFor) {
  Climb climb({}, all_strategies(), evidence_of(23_GiB), {}, 1);
  climb.on_answered({}, MonoTime(1s));
  climb.on_settled(MonoTime(1s));
  EXPECT_TRUE(std::holds_alternative<MeasureDevice>(climb.next()));
  climb.on_measured(reading_of(10_GiB), MonoTime(2s));
  climb.on_measured(reading_of(23_GiB), MonoTime(3s));
  climb.on_stopped(MonoTime(3s));
  const auto decision = std::get<ClimbFinished>(climb.next()).decision;
  EXPECT_EQ(decision.end, DecisionEnd::NothingToDo);
  EXPECT_EQ(decision.took, 2s);
}

}  // namespace
}  // namespace dualgpuopt::memory
