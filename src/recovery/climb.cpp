#include "dualgpuopt/memory/recovery/climb.h"

#include <algorithm>
#include <utility>

#include "core/format.h"
#include "dualgpuopt/memory/recovery/forecast_trigger.h"
#include "recovery/climb_reasons.h"

namespace dualgpuopt::memory {
namespace {

std::optional<Bytes> occupied(const Reading& reading) {
  return reading.ok() ? std::optional(reading.memory->occupied()) : std::nullopt;
}

std::optional<Bytes> total(const Reading& reading) { return reading.ok() ? reading.memory->total : std::nullopt; }

Bytes share(double percent, Bytes whole) { return static_cast<Bytes>(percent / 100 * static_cast<double>(whole)); }

/// Why a fresh reading cannot be acted on; empty if it can.
std::string unusable(const Reading& reading) {
  if (!reading.ok()) return reading.reason.empty() ? "no reason is given" : reading.reason;
  if (reading.provenance == Provenance::Driver) return {};
  return format_text("the reading is {}", to_string(reading.provenance));
}

void append_detail(std::string& detail, std::string_view more) {
  if (!detail.empty()) detail += "; ";
  detail += more;
}

std::string detail_of(const StrategyOutcome& outcome) {
  switch (outcome.status) {
    case AnswerStatus::Answered: return outcome.answer.detail;
    case AnswerStatus::Threw: return outcome.answer.detail.empty() ? "failed without a text" : outcome.answer.detail;
    case AnswerStatus::TimedOut: return "no answer in time";
    case AnswerStatus::Busy: return "not called: an earlier call has still not returned";
    case AnswerStatus::Stopped: return "abandoned: the monitor stopped while it ran";
  }
  return {};
}

/// The outcome as far as it does not hang on whether memory was freed.
RungOutcome outcome_of(AnswerStatus status, RungOutcome if_answered) {
  switch (status) {
    case AnswerStatus::Answered: return if_answered;
    case AnswerStatus::Threw: return RungOutcome::Failed;
    case AnswerStatus::TimedOut:
    case AnswerStatus::Busy: return RungOutcome::TimedOut;
    case AnswerStatus::Stopped: return RungOutcome::Unverified;
  }
  return RungOutcome::Unverified;
}

RungOutcome freed_or_not(bool freed) { return freed ? RungOutcome::Freed : RungOutcome::FreedNothing; }

Bytes target_of(const LadderConfig& config, const ClimbEvidence& evidence) {
  const auto whole = total(evidence.reading).value_or(0);
  if (evidence.cause == ClimbCause::Level || !evidence.forecast || !evidence.forecast->time_to_oom) {
    return share(config.target_percent, whole);
  }
  return forecast_target(occupied(evidence.reading).value_or(0), whole, *evidence.forecast->time_to_oom, config,
                         evidence.recovery_time);
}

/// What a process holds by a list; empty where there is no list or it does not tell.
std::optional<Bytes> held_by(pid_t pid, const ProcessList* list) {
  if (list == nullptr || pid == 0) return std::nullopt;
  const auto is_it = [&](const ProcessMemory& entry) {
    return entry.pid == pid && entry.presence == ProcessPresence::Alive;
  };
  const auto found = std::find_if(list->entries.begin(), list->entries.end(), is_it);
  return found == list->entries.end() ? std::nullopt : found->used;
}

/// How far use fell, 0 where that is no more than noise.
Bytes fall(std::optional<Bytes> before, Bytes used) {
  return before && *before > used + kFreedNoiseFloor ? *before - used : 0;
}

Decision open_decision(const LadderConfig& config, ClimbEvidence evidence, TimeStamp started, std::uint64_t id) {
  Decision decision;
  decision.id = id;
  decision.gpu = evidence.gpu;
  decision.started = started;
  decision.provenance = evidence.reading.provenance;
  decision.mode = config.mode_for(decision.provenance);
  decision.cause = evidence.cause;
  decision.level = evidence.level;
  decision.target_used = target_of(config, evidence);
  decision.evidence = std::move(evidence.reading);
  decision.forecast = evidence.forecast;
  return decision;
}

std::optional<RecoveryStrategy> last_tried(const std::vector<RungRecord>& records) {
  const auto tried = tried_rungs(records);
  return tried.empty() ? std::nullopt : std::optional(tried.back());
}

}  // namespace

Climb::Climb(const LadderConfig& config, const std::set<RecoveryStrategy>& registered, ClimbEvidence evidence,
             TimeStamp started, std::uint64_t id, RestingRungs resting)
    : config_(config),
      resting_(std::move(resting)),
      fallen_(fall(evidence.used_before, occupied(evidence.reading).value_or(0))),
      self_(evidence.self),
      own_(held_by(self_, evidence.processes.get())),
      newest_(evidence.reading),
      decision_(open_decision(config, std::move(evidence), started, id)) {
  std::copy_if(config.rungs.begin(), config.rungs.end(), std::back_inserter(rungs_),
               [&](auto rung) { return registered.contains(rung); });
  begin(registered);
}

void Climb::begin(const std::set<RecoveryStrategy>& registered) {
  const auto now = decision_.started.mono;
  if (decision_.mode == ActionMode::DryRun) return finish_as_dry_run(registered);
  if (rungs_.empty()) return finish(DecisionEnd::NoRungs, no_rungs_reason(config_.rungs), now);
  if (!total(newest_)) return lose_measurement("its total is not known, so there is no target", now);
  if (config_.verification == Verification::Callback) enter_rung(now);
}

ClimbAction Climb::next() const {
  switch (step_) {
    case Step::Measure:
      return MeasureDevice{unverified_ && self_ != 0 ? ReadDetail::MemoryAndProcesses : ReadDetail::Memory};
    case Step::Run: return RunStrategy{request()};
    case Step::Settle:
    case Step::Watch: return SettleUntil{until_};
    case Step::Finished: break;
  }
  return ClimbFinished{decision_};
}

void Climb::on_measured(const Reading& reading, MonoTime now) {
  if (step_ != Step::Measure) return;
  if (const auto problem = unusable(reading); !problem.empty()) return lose_measurement(problem, now);
  take_in(reading);
  const auto used = newest_.memory->occupied();
  if (unverified_) verify_rung(used);
  if (used <= decision_.target_used) return finish_at_target(used, now);
  if (!may_be_handed_over()) return enter_rung(now);
  step_ = Step::Watch;
  until_ = now + config_.settle;
}

void Climb::take_in(const Reading& reading) {
  const auto used = reading.memory->occupied();
  const auto before = occupied(newest_);
  // The evidence itself may have shown the fall, a moment ago; only a rise since then takes that back.
  if (first_used_ || used > before.value_or(0)) fallen_ = 0;
  fallen_ = std::max(fallen_, fall(before, used));
  newest_ = reading;
  if (!first_used_) first_used_ = used;
}

/// Whether use falls so fast by itself that the next rung would be for nothing. A rung's own work falls too, so after
/// one it counts only before processes would have to end.
bool Climb::may_be_handed_over() const {
  const auto above = newest_.memory->occupied() - decision_.target_used;
  if (above > kPatience * fallen_) return false;
  if (tried_rungs(decision_.rungs).empty()) return true;
  const auto next = std::find_if(rungs_.begin() + static_cast<std::ptrdiff_t>(position_), rungs_.end(),
                                 [&](auto rung) { return obstacle_to(rung).empty(); });
  return next != rungs_.end() && *next == RecoveryStrategy::Terminate;
}

void Climb::finish_at_target(Bytes used, MonoTime now) {
  const auto target = decision_.target_used;
  if (const auto last = last_tried(decision_.rungs)) {
    return finish(DecisionEnd::TargetReached, target_reached_reason(*first_used_, used, target, *last), now);
  }
  finish(DecisionEnd::NothingToDo, nothing_to_do_reason(occupied(decision_.evidence).value_or(used), used, target),
         now);
}

void Climb::on_answered(const StrategyOutcome& outcome, MonoTime now) {
  if (step_ != Step::Run) return;
  const auto strategy = rungs_[position_++];
  decision_.rungs.push_back({strategy, outcome_of(outcome.status, RungOutcome::Unverified), detail_of(outcome),
                             occupied(newest_), std::nullopt, now - rung_started_, own_, std::nullopt,
                             outcome.answer.candidates});
  if (outcome.status == AnswerStatus::Stopped) {
    return finish(DecisionEnd::Stopped, stopped_while_running_reason(strategy), now);
  }
  if (outcome.status == AnswerStatus::Busy) return enter_rung(now);
  if (config_.verification == Verification::Callback) return take_word(outcome, now);
  unverified_ = outcome.status;
  step_ = Step::Settle;
  until_ = now + config_.settle_of(strategy);
}

void Climb::on_settled(MonoTime now) {
  if (step_ != Step::Settle && step_ != Step::Watch) return;
  if (step_ == Step::Settle) decision_.rungs.back().took = now - rung_started_;
  step_ = Step::Measure;
}

void Climb::on_stopped(MonoTime now) {
  if (step_ == Step::Finished) return;
  if (step_ == Step::Settle) on_settled(now);
  if (unverified_) leave_unverified("the monitor stopped");
  finish(DecisionEnd::Stopped, stopped_reason(last_tried(decision_.rungs)), now);
}

/// Opens the next rung that may run, or ends the climb.
void Climb::enter_rung(MonoTime now) {
  for (; position_ < rungs_.size(); ++position_) {
    auto obstacle = obstacle_to(rungs_[position_]);
    if (obstacle.empty()) return run_rung(rungs_[position_], now);
    skip_rung(rungs_[position_], std::move(obstacle));
  }
  end_of_ladder(now);
}

void Climb::run_rung(RecoveryStrategy rung, MonoTime now) {
  step_ = Step::Run;
  rung_started_ = now;
  until_ = now + config_.time_limit_of(rung);
}

void Climb::skip_rung(RecoveryStrategy rung, std::string obstacle) {
  decision_.rungs.push_back({rung, RungOutcome::Skipped, std::move(obstacle), occupied(newest_), std::nullopt, {}});
}

void Climb::end_of_ladder(MonoTime now) {
  const auto tried = tried_rungs(decision_.rungs);
  finish(DecisionEnd::LadderExhausted,
         config_.verification == Verification::Callback
             ? no_callback_succeeded_reason(tried)
             : exhausted_reason(newest_.memory->occupied(), decision_.target_used, tried),
         now);
}

/// Judges the rung that was waiting for its measurement.
void Climb::verify_rung(Bytes used) {
  auto& rung = decision_.rungs.back();
  const auto before = rung.used_before.value_or(0);
  rung.own_after = own_ = held_by(self_, newest_.processes.get());
  const bool freed = fall(before, used) > 0 || (rung.own_after && fall(rung.own_before, *rung.own_after) > 0);
  rung.outcome = outcome_of(*unverified_, freed_or_not(freed));
  rung.used_after = used;
  decision_.freed = difference(*first_used_, used);
  unverified_.reset();
}

/// Verification by callback: its own word decides.
void Climb::take_word(const StrategyOutcome& outcome, MonoTime now) {
  const bool succeeded = outcome.status == AnswerStatus::Answered && outcome.answer.succeeded;
  auto& rung = decision_.rungs.back();
  rung.outcome = outcome_of(outcome.status, freed_or_not(succeeded));
  if (!succeeded) return enter_rung(now);
  finish(DecisionEnd::TargetReached, callback_succeeded_reason(rung.strategy), now);
}

void Climb::lose_measurement(std::string_view why, MonoTime now) {
  if (unverified_) leave_unverified(why);
  finish(DecisionEnd::MeasurementLost, measurement_lost_reason(decision_.gpu, last_tried(decision_.rungs), why), now);
}

void Climb::leave_unverified(std::string_view why) {
  auto& rung = decision_.rungs.back();
  rung.outcome = RungOutcome::Unverified;
  append_detail(rung.detail, format_text("not measured: {}", why));
}

void Climb::finish_as_dry_run(const std::set<RecoveryStrategy>& registered) {
  std::vector<RecoveryStrategy> would_try;
  for (const auto strategy : config_.rungs) {
    auto detail = obstacle_to(strategy);
    if (detail.empty()) would_try.push_back(strategy);
    if (!registered.contains(strategy)) append_detail(detail, "no strategy is registered");
    decision_.rungs.push_back(
        {strategy, RungOutcome::WouldRun, std::move(detail), occupied(newest_), std::nullopt, {}});
  }
  finish(DecisionEnd::DryRun, dry_run_reason(decision_.provenance, would_try), decision_.started.mono);
}

void Climb::finish(DecisionEnd end, std::string reason, MonoTime now) {
  decision_.end = end;
  decision_.reason = std::move(reason);
  decision_.took = now - decision_.started.mono;
  step_ = Step::Finished;
}

RecoveryRequest Climb::request() const {
  const auto used = newest_.memory->occupied();
  const auto target = decision_.target_used;
  return {decision_.gpu, rungs_[position_], newest_, target, used > target ? used - target : 0, until_, {}};
}

/// Why a rung may not run now; empty if it may.
std::string Climb::obstacle_to(RecoveryStrategy strategy) const {
  const auto limits = config_.limits_of(strategy);
  if (const auto found = resting_.find(strategy); found != resting_.end()) {
    return rests_reason(found->second.failures, found->second.until - decision_.started.mono);
  }
  if (decision_.cause == ClimbCause::Forecast && !limits.by_forecast) return "not run: not for a forecast";
  if (decision_.level < limits.from) {
    return format_text("not run: it is from {} on, and the level is {}", to_string(limits.from),
                       to_string(decision_.level));
  }
  return strategy == RecoveryStrategy::Terminate ? obstacle_to_terminate() : "";
}

/// Two readings must show the emergency before anything is terminated: the level alone may come from a forecast, or
/// linger by hysteresis.
std::string Climb::obstacle_to_terminate() const {
  if (decision_.cause == ClimbCause::Forecast) return "not run: a forecast terminates nothing";
  if (config_.verification == Verification::Callback) return {};
  if (decision_.level != Level::Emergency) {
    return format_text("not run: it needs the emergency level, and the level is {}", to_string(decision_.level));
  }
  for (const auto* reading : {&decision_.evidence, &newest_}) {
    const auto percent = reading->ok() ? reading->memory->occupied_percent() : std::nullopt;
    if (!percent) return "not run: use is not known in percent";
    if (*percent > config_.terminate_above_percent) continue;
    return format_text("not run: it needs two readings above {}, and one is {}",
                       format_percent(config_.terminate_above_percent), format_percent(*percent));
  }
  return {};
}

}  // namespace dualgpuopt::memory
