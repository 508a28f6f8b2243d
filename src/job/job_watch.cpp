#include "job/job_watch.h"

#include <algorithm>

#include "core/format.h"

namespace dualgpuopt::memory::job {
namespace {

// Jobs that end soon are looked at often enough to see their peak, long ones seldom enough to cost nothing.
constexpr Duration kFirstPace = std::chrono::milliseconds(100);
constexpr Duration kLastPace = std::chrono::seconds(5);
constexpr int kLooksInATenfold = 10;

bool is_pressure(const MemoryAlert& alert) {
  if (alert.event == AlertEvent::Cleared) return false;
  return alert.level >= Level::Critical || alert.reached_by == ThresholdKind::TimeToOom;
}

std::string cause_of(const MemoryAlert& alert) {
  return alert.reached_by == ThresholdKind::TimeToOom ? "forecast" : std::string(to_string(alert.level));
}

}  // namespace

JobWatch::JobWatch(BudgetRules rules) : has_pressure_command_(rules.has_pressure_command) {
  if (rules.budget != Budget{}) budget_.emplace(std::move(rules));
}

void JobWatch::take(const JobMemory& memory, MonoTime now) {
  if (budget_) add(budget_->on_measured(memory, now));
}

void JobWatch::take(const MemoryAlert& alert) {
  if (!is_pressure(alert)) return;
  ++pressures_;
  if (!has_pressure_command_) return;
  if (alert.provenance != Provenance::Driver) {
    add({Notice{format_text("{}; dry run, for the numbers are {}: the pressure command is not run", alert.text(),
                            to_string(alert.provenance))}});
    return;
  }
  add({Notice{alert.text()}});
  if (!is_running_) run({{alert.gpu, alert.memory.occupied(), std::nullopt, cause_of(alert)}});
}

void JobWatch::pressure_command_ended(MonoTime now) {
  is_running_ = false;
  if (waiting_) {
    run(*std::exchange(waiting_, std::nullopt));
  } else if (budget_) {
    add(budget_->on_pressure_command_ended(now));
  }
}

void JobWatch::let_pass(MonoTime now) {
  if (budget_) add(budget_->on_time(now));
}

void JobWatch::add(JobActions actions) {
  for (auto& action : actions) {
    if (auto* wanted = std::get_if<RunPressureCommand>(&action)) {
      ask_for_command(std::move(*wanted));
    } else {
      actions_.push_back(std::move(action));
    }
  }
}

void JobWatch::ask_for_command(RunPressureCommand wanted) {
  if (is_running_) {
    waiting_ = std::move(wanted);
  } else {
    run(std::move(wanted));
  }
}

void JobWatch::run(RunPressureCommand wanted) {
  is_running_ = true;
  ++pressure_runs_;
  actions_.emplace_back(std::move(wanted));
}

const std::optional<Limit>& JobWatch::terminated_for() const {
  static const std::optional<Limit> none;
  return budget_ ? budget_->terminated_for() : none;
}

Duration JobWatch::wanted_pace(Duration age, MonoTime now) const {
  const auto by_age = std::clamp(age / kLooksInATenfold, kFirstPace, kLastPace);
  return budget_ ? std::min(by_age, budget_->wanted_pace(now)) : by_age;
}

}  // namespace dualgpuopt::memory::job
