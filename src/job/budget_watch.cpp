#include "job/budget_watch.h"

#include <csignal>

#include "core/format.h"

namespace dualgpuopt::memory::job {
namespace {

// A list of processes costs the driver milliseconds, so it is asked for often only where it matters.
constexpr Duration kFarPace = std::chrono::seconds(2);
constexpr Duration kNearPace = std::chrono::seconds(1);
constexpr Duration kClosePace = std::chrono::milliseconds(250);
constexpr Duration kUrgentPace = std::chrono::milliseconds(100);
constexpr double kNear = 0.7;

JobActions tell(std::string text) { return {Notice{std::move(text)}}; }

}  // namespace

std::string describe(const Limit& limit) {
  const auto where = limit.gpu ? format_text(" on GPU {}", *limit.gpu) : "";
  const auto* place = limit.is_exceeded() ? "over its budget" : "near its budget";
  return format_text("holds {}{}, {} of {}", format_bytes(limit.used), where, place, format_bytes(limit.budget));
}

JobActions BudgetWatch::on_measured(const JobMemory& memory, MonoTime now) {
  if (last_ && memory.time <= *last_) return on_time(now);
  last_ = memory.time;
  const auto unknown = memory.reason(rules_.budget);
  auto actions = say_unknown(unknown);
  const auto limit = tightest(rules_.budget, memory);
  share_ = limit->share();
  is_within_ = !limit->is_exceeded() && unknown.empty();
  auto more = limit->is_exceeded() ? exceed(*limit, memory, now) : keep_within(*limit, unknown);
  actions.insert(actions.end(), more.begin(), more.end());
  more = on_time(now);
  actions.insert(actions.end(), more.begin(), more.end());
  return actions;
}

JobActions BudgetWatch::say_unknown(const std::string& unknown) {
  if (unknown == unknown_) return {};
  const auto before = std::exchange(unknown_, unknown);
  if (unknown.empty()) return tell("the job's GPU memory can be measured again, and its budget is watched");
  const auto* means = before.empty() ? "the budget cannot be enforced" : "the budget still cannot be enforced";
  return tell(format_text("{}, because what the job holds is not known: {}", means, unknown));
}

JobActions BudgetWatch::exceed(const Limit& limit, const JobMemory& memory, MonoTime now) {
  switch (state_) {
    case State::Within: state_ = State::Over; return {};
    case State::Over: return confirm(limit, memory, now);
    case State::Grace: return verify(limit, memory, now);
    default: return {};
  }
}

JobActions BudgetWatch::confirm(const Limit& limit, const JobMemory& memory, MonoTime now) {
  warned_ = true;
  if (memory.provenance != Provenance::Driver) {
    state_ = State::DryRun;
    return tell(format_text("the job {}; dry run, for the numbers are {}: nothing is run or terminated",
                            describe(limit), to_string(memory.provenance)));
  }
  auto actions = tell(announcement(limit));
  state_ = rules_.has_pressure_command ? State::Relieving : State::Grace;
  until_ = now + rules_.grace;
  if (rules_.has_pressure_command) {
    actions.emplace_back(RunPressureCommand{{limit.gpu, limit.used, limit.budget, "budget"}});
  }
  return actions;
}

std::string BudgetWatch::announcement(const Limit& limit) const {
  const auto* first = rules_.has_pressure_command ? "the pressure command runs now, then it" : "it";
  const auto grace = format_duration(rules_.grace);
  return format_text("the job {}: {} has {} to come back within; else SIGTERM ends it, and SIGKILL {} later",
                     describe(limit), first, grace, grace);
}

JobActions BudgetWatch::verify(const Limit& limit, const JobMemory& memory, MonoTime now) {
  if (memory.time < until_ || memory.provenance != Provenance::Driver) return {};
  state_ = State::Terminating;
  until_ = now + rules_.grace;
  terminated_for_ = limit;
  auto actions =
      tell(format_text("the job still {}: SIGTERM now, SIGKILL in {}", describe(limit), format_duration(rules_.grace)));
  actions.emplace_back(SignalJob{SIGTERM});
  return actions;
}

JobActions BudgetWatch::keep_within(const Limit& limit, const std::string& unknown) {
  if (state_ == State::Over) state_ = State::Within;
  if (!unknown.empty()) return {};
  if (state_ == State::Grace || state_ == State::DryRun) {
    const auto was = std::exchange(state_, State::Within);
    return tell(format_text("the job is within its budget again, with {} of {}{}", format_bytes(limit.used),
                            format_bytes(limit.budget), was == State::Grace ? "; nothing is terminated" : ""));
  }
  if (state_ != State::Within) return {};
  if (limit.share() < BudgetRules::kCalmAt) warned_ = false;
  if (limit.share() < BudgetRules::kWarnAt || std::exchange(warned_, true)) return {};
  return tell(format_text("the job {}", describe(limit)));
}

JobActions BudgetWatch::on_pressure_command_ended(MonoTime now) {
  if (state_ != State::Relieving) return {};
  state_ = State::Grace;
  until_ = now + rules_.grace;
  return {};
}

JobActions BudgetWatch::on_time(MonoTime now) {
  if (state_ != State::Terminating || now < until_) return {};
  state_ = State::Killed;
  return {Notice{"the job has not ended: SIGKILL now"}, SignalJob{SIGKILL}};
}

Duration BudgetWatch::wanted_pace(MonoTime now) const {
  if (state_ == State::Over || (state_ == State::Grace && now >= until_)) return kUrgentPace;
  if (share_ >= BudgetRules::kWarnAt) return kClosePace;
  return share_ >= kNear ? kNearPace : kFarPace;
}

}  // namespace dualgpuopt::memory::job
