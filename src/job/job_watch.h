// Everything that is decided about a running job: its budget, and the GPUs' own trouble.
#pragma once

#include <deque>
#include <optional>

#include "dualgpuopt/memory/alerts/memory_alert.h"
#include "job/budget_watch.h"

namespace dualgpuopt::memory::job {

/// Pure: no threads, no clock reads. Joins the BudgetWatch with alerts of the devices, for which the pressure command
/// runs as well, budget or not, but nothing is ever terminated. There is never more than one pressure command at a
/// time: the budget's waits until the device's has ended; a device's that comes while one runs is counted only.
class JobWatch {
 public:
  /// With an empty budget only devices are watched.
  explicit JobWatch(BudgetRules rules);

  void take(const JobMemory& memory, MonoTime now);
  /// Raised or repeated at Critical and above, or by a forecast: counts as pressure. Others change nothing.
  void take(const MemoryAlert& alert);
  void pressure_command_ended(MonoTime now);
  void let_pass(MonoTime now);

  /// What is to be done since the last call, in order.
  [[nodiscard]] JobActions take_actions() { return std::exchange(actions_, {}); }

  [[nodiscard]] bool has_terminated() const { return budget_ && budget_->terminated_for().has_value(); }
  [[nodiscard]] const std::optional<Limit>& terminated_for() const;
  [[nodiscard]] bool has_killed() const { return budget_ && budget_->state() == BudgetWatch::State::Killed; }
  [[nodiscard]] unsigned pressures() const { return pressures_; }
  [[nodiscard]] unsigned pressure_runs() const { return pressure_runs_; }
  /// How soon process lists are wanted again, in a job that has run for so long.
  [[nodiscard]] Duration wanted_pace(Duration age, MonoTime now) const;

 private:
  void add(JobActions actions);
  void ask_for_command(RunPressureCommand run);
  void run(RunPressureCommand run);

  const bool has_pressure_command_;
  std::optional<BudgetWatch> budget_;
  JobActions actions_;
  bool is_running_ = false;
  std::optional<RunPressureCommand> waiting_;  // of the budget
  unsigned pressures_ = 0;
  unsigned pressure_runs_ = 0;
};

}  // namespace dualgpuopt::memory::job
