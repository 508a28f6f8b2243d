#include "dualgpuopt/memory/recovery/rung_budget.h"

#include <algorithm>

namespace dualgpuopt::memory {
namespace {

bool has_failed(RungOutcome outcome) {
  return outcome == RungOutcome::FreedNothing || outcome == RungOutcome::Failed || outcome == RungOutcome::TimedOut;
}

/// `rest` after as many failures as there are attempts, doubled with each further one.
Duration rest_after(unsigned failures, const RungLimits& limits) {
  Duration rest = std::min<Duration>(limits.rest, kLongestRest);
  for (unsigned i = limits.attempts; i < failures && rest < kLongestRest; ++i) rest *= 2;
  return std::min<Duration>(rest, kLongestRest);
}

}  // namespace

void RungBudget::add(const Decision& decision, MonoTime now) {
  if (config_.verification == Verification::Callback) return;
  for (const auto& rung : decision.rungs) note(accounts_[{decision.gpu, rung.strategy}], rung, now);
}

void RungBudget::note(RungRest& account, const RungRecord& rung, MonoTime now) const {
  if (rung.outcome == RungOutcome::Freed) account = {};
  if (!has_failed(rung.outcome)) return;
  const auto limits = config_.limits_of(rung.strategy);
  ++account.failures;
  if (limits.attempts > 0 && account.failures >= limits.attempts) {
    account.until = now + rest_after(account.failures, limits);
  }
}

void RungBudget::forget(RecoveryStrategy rung) {
  std::erase_if(accounts_, [&](const auto& entry) { return entry.first.second == rung; });
}

RestingRungs RungBudget::resting(int gpu, MonoTime now) const {
  RestingRungs resting;
  for (const auto& [key, account] : accounts_) {
    if (key.first == gpu && account.until > now) resting[key.second] = account;
  }
  return resting;
}

}  // namespace dualgpuopt::memory
