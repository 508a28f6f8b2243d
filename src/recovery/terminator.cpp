#include "dualgpuopt/memory/recovery/terminator.h"

#include <algorithm>
#include <utility>

#include "recovery/fresh_reading.h"
#include "recovery/terminate_words.h"
#include "recovery/victim_driver.h"
#include "recovery/victim_survey.h"

namespace dualgpuopt::memory {
namespace {

std::vector<Candidate> candidates_of(const std::vector<RankedVictim>& ranked) {
  std::vector<Candidate> candidates;
  for (const auto& victim : ranked) candidates.push_back(victim.candidate);
  return candidates;
}

/// Whoever was begun with is not begun with again.
void set_aside(const std::vector<ProcessIdentity>& begun, std::vector<RankedVictim>& ranked) {
  for (auto& victim : ranked) {
    if (!overlap(victim.members, begun)) continue;
    victim.members.clear();
    victim.candidate.score.reset();
    victim.candidate.reason = "it was begun with before";
  }
  std::stable_partition(ranked.begin(), ranked.end(), [](const auto& victim) { return victim.may_be_ended(); });
}

/// Marks the first ones whose memory together is what is too much.
void choose(std::vector<Candidate>& candidates, Bytes too_much) {
  Bytes sum = 0;
  for (auto& each : candidates) {
    if (!each.score || sum >= too_much) continue;
    each.chosen = true;
    sum += each.bytes.value_or(0);
  }
}

Bytes occupied(const Reading& reading) { return reading.ok() ? reading.memory->occupied() : 0; }

bool was_signalled(const TerminationRecord& record) { return record.term_sent || record.kill_sent; }

/// The first ranking, with all marked that were signalled in the end.
std::vector<Candidate> candidates_of(const TerminateReport& report) {
  if (report.victims.empty()) return report.candidates;
  auto candidates = report.victims.front().candidates;
  for (const auto& victim : report.victims) {
    for (const auto& other : victim.candidates) {
      const auto same =
          std::find_if(candidates.begin(), candidates.end(), [&](const auto& each) { return each.what == other.what; });
      if (other.chosen && same != candidates.end()) same->chosen = true;
    }
  }
  return candidates;
}

}  // namespace

Terminator::Terminator(TerminatePolicy policy, std::shared_ptr<MemoryPort> memory,
                       std::shared_ptr<ProcessPort> processes, std::shared_ptr<Clock> clock)
    : policy_(std::move(policy)),
      memory_(std::move(memory)),
      processes_(std::move(processes)),
      clock_(std::move(clock)) {}

TerminateReport Terminator::run(const TerminateOrder& order) {
  const MutexLock one_at_a_time(order_);
  TerminateReport report;
  report.newest = Reading::unavailable(order.gpu, clock_->stamp(), order.provenance, "not measured");
  const bool acts = policy_.mode == ActionMode::Execute && order.provenance == Provenance::Driver;
  if (!acts) {
    plan(order, report);
  } else if (auto why = lock_reason(order.gpu); !why.empty()) {
    report.end = TerminateEnd::Locked;
    report.reason = "nothing is ended: " + why;
  } else {
    end_victims(order, report);
  }
  return report;
}

void Terminator::plan(const TerminateOrder& order, TerminateReport& report) {
  auto survey = look(order);
  const auto used = occupied(survey.reading);
  report.candidates = candidates_of(survey.ranked);
  report.newest = std::move(survey.reading);
  report.end = TerminateEnd::DryRun;
  if (!report.newest.ok()) {
    report.end = TerminateEnd::MeasurementLost;
    report.reason = report.newest.reason;
  } else if (used <= order.target_used) {
    report.end = TerminateEnd::Enough;
    report.reason = enough_reason(used, order.target_used);
  } else {
    choose(report.candidates, used - order.target_used);
    report.reason = dry_run_reason(policy_, report.newest.provenance, report.candidates, used, order.target_used);
  }
}

void Terminator::end_victims(const TerminateOrder& order, TerminateReport& report) {
  std::vector<ProcessIdentity> begun;
  while (true) {
    auto survey = look(order);
    set_aside(begun, survey.ranked);
    report.candidates = candidates_of(survey.ranked);
    report.newest = survey.reading;
    if (!may_go_on(order, survey, report)) return;
    const auto& members = survey.ranked.front().members;
    begun.insert(begun.end(), members.begin(), members.end());
    report.victims.push_back(end_one(order, survey));
    const auto& record = report.victims.back().record;
    report.newest = record.after;
    if (record.end != TerminationEnd::Unverified) continue;
    report.end = TerminateEnd::Unverified;
    report.reason = "it was given up there";
    return lock(order.gpu, record.detail);
  }
}

Terminator::Survey Terminator::look(const TerminateOrder& order) {
  auto reading = memory_->measure(order.gpu, ReadDetail::MemoryAndProcesses);
  const auto& by = policy_.victims.order;
  std::map<pid_t, double> growth;
  if (std::find(by.begin(), by.end(), VictimOrder::FastestGrowing) != by.end() && reading.processes) {
    const auto first = reading.processes;
    clock_->sleep_until(clock_->now() + policy_.growth_window, order.stop);
    reading = memory_->measure(order.gpu, ReadDetail::MemoryAndProcesses);
    if (reading.processes) growth = growth_between(*first, *reading.processes);
  }
  auto facts = survey_victims(reading, policy_.victims, *processes_);
  facts.growth = std::move(growth);
  return {std::move(reading), rank_victims(facts, policy_.victims)};
}

/// Whether the first of the ranking is to be ended; otherwise the report says why not.
bool Terminator::may_go_on(const TerminateOrder& order, const Survey& survey, TerminateReport& report) const {
  const auto conclude = [&](TerminateEnd end, std::string reason) {
    report.end = end;
    report.reason = std::move(reason);
    return false;
  };
  if (auto problem = unusable_for_ending(survey.reading); !problem.empty()) {
    return conclude(TerminateEnd::MeasurementLost, std::move(problem));
  }
  const auto used = occupied(survey.reading);
  if (used <= order.target_used) return conclude(TerminateEnd::Enough, enough_reason(used, order.target_used));
  if (survey.ranked.empty() || !survey.ranked.front().may_be_ended()) {
    return conclude(TerminateEnd::NoVictim,
                    no_victim_reason(order.gpu, used, order.target_used, survey.reading.processes->entries.size()));
  }
  const bool has_time = order.deadline - policy_.longest_victim() >= clock_->now();
  if (order.stop.stop_requested() || !has_time) {
    return conclude(TerminateEnd::OutOfTime, "there is no time left for one more, which could take " +
                                                 format_duration(policy_.longest_victim()));
  }
  return true;
}

VictimAccount Terminator::end_one(const TerminateOrder& order, const Survey& survey) {
  const auto& victim = survey.ranked.front();
  const auto started = clock_->now();
  VictimAccount account{candidates_of(survey.ranked),
                        VictimDriver(policy_, *memory_, *processes_, *clock_).drive(order, victim, survey.reading),
                        {}};
  account.candidates.front().chosen = was_signalled(account.record);
  account.took = clock_->now() - started;
  return account;
}

std::string Terminator::lock_reason(int gpu) const {
  const MutexLock lock(mutex_);
  const auto found = locked_.find(gpu);
  return found == locked_.end() ? std::string() : found->second;
}

void Terminator::lock(int gpu, std::string reason) {
  const MutexLock lock(mutex_);
  locked_[gpu] = std::move(reason);
}

void Terminator::unlock(int gpu) {
  const MutexLock lock(mutex_);
  locked_.erase(gpu);
}

RecoveryCallback terminate_strategy(std::shared_ptr<Terminator> terminator) {
  return [terminator = std::move(terminator)](const RecoveryRequest& request) {
    const auto report =
        terminator->run({request.gpu, request.reading.provenance, request.target_used, request.deadline, request.stop});
    return StrategyAnswer{report.end == TerminateEnd::Enough, describe(report), candidates_of(report)};
  };
}

}  // namespace dualgpuopt::memory
