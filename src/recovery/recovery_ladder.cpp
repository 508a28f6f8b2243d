#include "dualgpuopt/memory/recovery/recovery_ladder.h"

#include <algorithm>
#include <cassert>
#include <utility>
#include <variant>

#include "recovery/strategy_runner.h"

namespace dualgpuopt::memory {

RecoveryLadder::RecoveryLadder(LadderConfig config)
    : config_(std::move(config)), runner_(std::make_unique<StrategyRunner>()), times_(config_), budget_(config_) {
  assert(config_.validate());
}

RecoveryLadder::~RecoveryLadder() = default;

void RecoveryLadder::register_strategy(RecoveryStrategy strategy, RecoveryCallback callback) {
  auto shared = callback ? std::make_shared<const RecoveryCallback>(std::move(callback)) : nullptr;
  // The old one leaves in `shared`, to be destroyed when the lock is released: its destructor is user code.
  const MutexLock lock(mutex_);
  strategies_[strategy].swap(shared);
  budget_.forget(strategy);
}

bool RecoveryLadder::is_due(const ClimbEvidence& evidence, MonoTime now) const {
  if (!calls_for_climb(evidence)) return false;
  const MutexLock lock(mutex_);
  const auto cooldown = cooldowns_.find(evidence.gpu);
  if (cooldown == cooldowns_.end() || evidence.level > cooldown->second.level) return true;
  return now >= cooldown->second.end && !every_rung_rests(evidence.gpu, now);
}

bool RecoveryLadder::every_rung_rests(int gpu, MonoTime now) const {
  const auto resting = budget_.resting(gpu, now);
  for (const auto rung : config_.rungs) {
    const auto found = strategies_.find(rung);
    if (found != strategies_.end() && found->second && !resting.contains(rung)) return false;
  }
  return !resting.empty();
}

RestingRungs RecoveryLadder::resting(int gpu, MonoTime now) const {
  const MutexLock lock(mutex_);
  return budget_.resting(gpu, now);
}

bool RecoveryLadder::calls_for_climb(const ClimbEvidence& evidence) const {
  if (evidence.cause == ClimbCause::Level) return evidence.level >= config_.trigger;
  if (config_.mode_for(evidence.reading.provenance) == ActionMode::DryRun) return true;
  const auto may_run = registered();  // a forecast terminates nothing, so Terminate alone is nothing to recover with
  return std::any_of(may_run.begin(), may_run.end(), [](auto rung) { return rung != RecoveryStrategy::Terminate; });
}

Duration RecoveryLadder::recovery_time() const {
  const auto may_run = registered();
  auto rungs = config_.rungs;
  if (!may_run.empty()) std::erase_if(rungs, [&](auto rung) { return !may_run.contains(rung); });
  const MutexLock lock(mutex_);
  return times_.of_all(rungs);
}

Decision RecoveryLadder::climb(const ClimbEvidence& evidence, MemoryPort& port, Clock& clock,
                               const std::stop_token& stop) {
  const auto started = clock.stamp();
  Climb climb(config_, registered(), evidence, started, take_id(), resting(evidence.gpu, started.mono));
  while (true) {
    if (stop.stop_requested()) climb.on_stopped(clock.now());
    const auto action = climb.next();
    if (const auto* measuring = std::get_if<MeasureDevice>(&action)) {
      const auto reading = port.measure(evidence.gpu, measuring->detail);
      climb.on_measured(reading, clock.now());
    } else if (const auto* call = std::get_if<RunStrategy>(&action)) {
      const auto outcome = run(call->request, stop);
      climb.on_answered(outcome, clock.now());
    } else if (const auto* settling = std::get_if<SettleUntil>(&action)) {
      if (clock.sleep_until(settling->time, stop)) climb.on_settled(clock.now());
    } else {
      const auto& decision = std::get<ClimbFinished>(action).decision;
      note_end(decision, clock.now());
      return decision;
    }
  }
}

std::set<RecoveryStrategy> RecoveryLadder::registered() const {
  const MutexLock lock(mutex_);
  std::set<RecoveryStrategy> kinds;
  for (const auto& [strategy, callback] : strategies_) {
    if (callback) kinds.insert(strategy);
  }
  return kinds;
}

RecoveryLadder::SharedCallback RecoveryLadder::find(RecoveryStrategy strategy) const {
  const MutexLock lock(mutex_);
  const auto found = strategies_.find(strategy);
  return found == strategies_.end() ? nullptr : found->second;
}

std::uint64_t RecoveryLadder::take_id() {
  const MutexLock lock(mutex_);
  return ++last_id_;
}

StrategyOutcome RecoveryLadder::run(const RecoveryRequest& request, const std::stop_token& stop) {
  auto callback = find(request.strategy);
  if (!callback) return {AnswerStatus::Threw, {false, "its strategy was removed during the climb"}};
  return runner_->run(std::move(callback), request, config_.time_limit_of(request.strategy), stop);
}

void RecoveryLadder::note_end(const Decision& decision, MonoTime now) {
  const MutexLock lock(mutex_);
  times_.add(decision);
  budget_.add(decision, now);
  cooldowns_[decision.gpu] = {now + config_.cooldown, decision.level};
}

}  // namespace dualgpuopt::memory
