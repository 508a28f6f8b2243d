#include "dualgpuopt/memory/recovery/recovery_ladder.h"

#include <cassert>
#include <utility>
#include <variant>

#include "recovery/strategy_runner.h"

namespace dualgpuopt::memory {

RecoveryLadder::RecoveryLadder(LadderConfig config)
    : config_(std::move(config)), runner_(std::make_unique<StrategyRunner>()) {
  assert(config_.validate());
}

RecoveryLadder::~RecoveryLadder() = default;

void RecoveryLadder::register_strategy(RecoveryStrategy strategy, RecoveryCallback callback) {
  auto shared = callback ? std::make_shared<const RecoveryCallback>(std::move(callback)) : nullptr;
  // The old one leaves in `shared`, to be destroyed when the lock is released: its destructor is user code.
  const MutexLock lock(mutex_);
  strategies_[strategy].swap(shared);
}

bool RecoveryLadder::is_due(int gpu, Level level, MonoTime now) const {
  if (level < config_.trigger) return false;
  const MutexLock lock(mutex_);
  const auto cooldown = cooldowns_.find(gpu);
  return cooldown == cooldowns_.end() || now >= cooldown->second.end || level > cooldown->second.level;
}

Decision RecoveryLadder::climb(const ClimbEvidence& evidence, MemoryPort& port, Clock& clock,
                               const std::stop_token& stop) {
  Climb climb(config_, registered(), evidence, clock.stamp(), take_id());
  while (true) {
    if (stop.stop_requested()) climb.on_stopped(clock.now());
    const auto action = climb.next();
    if (std::holds_alternative<MeasureDevice>(action)) {
      const auto reading = port.measure(evidence.gpu);
      climb.on_measured(reading, clock.now());
    } else if (const auto* call = std::get_if<RunStrategy>(&action)) {
      const auto outcome = run(call->request, stop);
      climb.on_answered(outcome, clock.now());
    } else if (const auto* settling = std::get_if<SettleUntil>(&action)) {
      if (clock.sleep_until(settling->time, stop)) climb.on_settled(clock.now());
    } else {
      start_cooldown(evidence, clock.now());
      return std::get<ClimbFinished>(action).decision;
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
  return runner_->run(std::move(callback), request, config_.rung_time_limit, stop);
}

void RecoveryLadder::start_cooldown(const ClimbEvidence& evidence, MonoTime now) {
  const MutexLock lock(mutex_);
  cooldowns_[evidence.gpu] = {now + config_.cooldown, evidence.level};
}

}  // namespace dualgpuopt::memory
