// What holds for every climb, whatever the rungs do: the machine is driven with random configurations and outcomes.
#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>

#include "recovery/readings.h"

namespace dualgpuopt::memory {
namespace {

using namespace testing;

/// Everything that happened in one climb, as its driver saw it.
struct Course {
  LadderConfig config;
  std::set<RecoveryStrategy> registered;
  int measurements = 0;
  int watched = 0;              // settlings of which no rung was the cause
  std::vector<Bytes> measured;  // the good ones
  std::vector<RecoveryRequest> requests;
  bool asked_again_the_same = true;
  Decision decision;
};

/// Some of the strategies in some order.
std::vector<RecoveryStrategy> some_rungs() {
  std::multimap<int, RecoveryStrategy> by_rank;
  for (const auto strategy : all_strategies()) {
    const auto rank = *rc::gen::inRange(-30, 100);
    if (rank >= 0) by_rank.emplace(rank, strategy);
  }
  std::vector<RecoveryStrategy> rungs;
  for (const auto& [rank, strategy] : by_rank) rungs.push_back(strategy);
  return rungs;
}

LadderConfig some_config() {
  LadderConfig config;
  config.rungs = some_rungs();
  config.target_percent = *rc::gen::inRange(1, 100);
  config.terminate_above_percent = *rc::gen::inRange(1, 101);
  config.verification = *rc::gen::element(Verification::Measured, Verification::Callback);
  config.mode = *rc::gen::weightedElement<ActionMode>({{9, ActionMode::Execute}, {1, ActionMode::DryRun}});
  return config;
}

Reading some_reading() {
  const auto kind = *rc::gen::inRange(0, 20);
  if (kind == 0) return lost("GPU is lost");
  const auto provenance = kind == 1 ? Provenance::Simulated : Provenance::Driver;
  return reading_of(*rc::gen::inRange<Bytes>(0, kTotal + 1), 0, provenance);
}

StrategyOutcome some_outcome() {
  const auto status = *rc::gen::weightedElement<AnswerStatus>({{6, AnswerStatus::Answered},
                                                               {2, AnswerStatus::Threw},
                                                               {2, AnswerStatus::TimedOut},
                                                               {2, AnswerStatus::Busy},
                                                               {1, AnswerStatus::Stopped}});
  return {status, {*rc::gen::arbitrary<bool>(), ""}};
}

bool same_kind(const ClimbAction& left, const ClimbAction& right) { return left.index() == right.index(); }

/// Drives a climb to its end, or gives up after a hundred steps.
Course random_course(Provenance provenance = Provenance::Driver) {
  Course course{.config = some_config(), .registered = {}, .measured = {}, .requests = {}, .decision = {}};
  for (const auto strategy : some_rungs()) course.registered.insert(strategy);
  const auto level = *rc::gen::element(Level::Critical, Level::Emergency);
  const auto used = *rc::gen::inRange<Bytes>(0, kTotal + 1);
  Climb climb(course.config, course.registered, evidence_of(used, level, provenance), {}, 1);
  MonoTime now{};
  bool was_run = false;
  for (int step = 0; step < 100; ++step) {
    const auto action = climb.next();
    course.asked_again_the_same = course.asked_again_the_same && same_kind(action, climb.next());
    now += std::chrono::milliseconds(*rc::gen::inRange(0, 1000));
    if (const auto* finished = std::get_if<ClimbFinished>(&action)) {
      course.decision = finished->decision;
      return course;
    }
    if (*rc::gen::inRange(0, 20) == 0) {
      climb.on_stopped(now);
    } else if (const auto* run = std::get_if<RunStrategy>(&action)) {
      course.requests.push_back(run->request);
      climb.on_answered(some_outcome(), now);
      was_run = true;
    } else if (std::holds_alternative<SettleUntil>(action)) {
      course.watched += was_run ? 0 : 1;
      was_run = false;
      climb.on_settled(now);
    } else {
      const auto reading = some_reading();
      ++course.measurements;
      if (reading.ok() && reading.provenance == Provenance::Driver) course.measured.push_back(reading.memory->used);
      climb.on_measured(reading, now);
    }
  }
  RC_FAIL("the climb did not end");
}

std::size_t place(const std::vector<RecoveryStrategy>& rungs, RecoveryStrategy strategy) {
  return static_cast<std::size_t>(std::find(rungs.begin(), rungs.end(), strategy) - rungs.begin());
}

RC_GTEST_PROP(ClimbProperty, EndsWithOneMeasurementARungOneBeforeAndOneForEachWait, ()) {
  const auto course = random_course();
  RC_ASSERT(course.measurements <= static_cast<int>(course.requests.size()) + 1 + course.watched);
  RC_ASSERT(course.requests.size() <= course.config.rungs.size());
  RC_ASSERT(course.asked_again_the_same);
  RC_ASSERT(!course.decision.reason.empty());
}

RC_GTEST_PROP(ClimbProperty, RunsRegisteredRungsInTheConfiguredOrder, ()) {
  const auto course = random_course();
  std::vector<std::size_t> places;
  for (const auto& request : course.requests) {
    RC_ASSERT(course.registered.contains(request.strategy));
    places.push_back(place(course.config.rungs, request.strategy));
    RC_ASSERT(places.back() < course.config.rungs.size());
  }
  RC_ASSERT(std::is_sorted(places.begin(), places.end()));
  RC_ASSERT(std::adjacent_find(places.begin(), places.end()) == places.end());
}

RC_GTEST_PROP(ClimbProperty, RunsNothingOnceTheTargetIsReached, ()) {
  const auto course = random_course();
  if (course.config.verification == Verification::Callback) return;
  for (const auto& request : course.requests) {
    RC_ASSERT(request.reading.memory->used > request.target_used);
    RC_ASSERT(request.bytes_to_free == request.reading.memory->used - request.target_used);
  }
  const auto target = course.decision.target_used;
  const auto reached = [&](Bytes used) { return used <= target; };
  const auto first = std::find_if(course.measured.begin(), course.measured.end(), reached);
  RC_ASSERT(course.measured.end() - first <= 1);
}

RC_GTEST_PROP(ClimbProperty, RunsNothingOnOtherThanTheDriversData, ()) {
  const auto course = random_course(*rc::gen::element(Provenance::Simulated, Provenance::Replayed));
  RC_ASSERT(course.requests.empty());
  RC_ASSERT(course.measurements == 0);
  RC_ASSERT(course.decision.rungs.size() == course.config.rungs.size());
}

RC_GTEST_PROP(ClimbProperty, RunsNothingInADryRun, ()) {
  const auto course = random_course();
  if (course.config.mode == ActionMode::Execute) return;
  RC_ASSERT(course.requests.empty());
}

RC_GTEST_PROP(ClimbProperty, TerminatesOnlyInAMeasuredEmergency, ()) {
  const auto course = random_course();
  if (course.config.verification == Verification::Callback) return;
  for (const auto& request : course.requests) {
    if (request.strategy != RecoveryStrategy::Terminate) continue;
    RC_ASSERT(course.decision.level == Level::Emergency);
    RC_ASSERT(*request.reading.memory->occupied_percent() > course.config.terminate_above_percent);
    RC_ASSERT(*course.decision.evidence.memory->occupied_percent() > course.config.terminate_above_percent);
  }
}

RC_GTEST_PROP(ClimbProperty, RecordsEveryRungThatRanAndWhatWasMeasured, ()) {
  const auto course = random_course();
  const auto& records = course.decision.rungs;
  const auto ran =
      std::count_if(records.begin(), records.end(), [](const RungRecord& record) { return was_tried(record.outcome); });
  RC_ASSERT(ran == static_cast<std::ptrdiff_t>(course.requests.size()));
  const auto verified = std::count_if(records.begin(), records.end(),
                                      [](const RungRecord& record) { return record.used_after.has_value(); });
  RC_ASSERT(course.decision.freed.has_value() == (verified > 0));
  if (verified > 0) {
    RC_ASSERT(*course.decision.freed == difference(course.measured.front(), course.measured.back()));
  }
}

}  // namespace
}  // namespace dualgpuopt::memory
