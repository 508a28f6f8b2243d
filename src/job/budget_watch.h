// Holds a job to its budget: a state machine fed with what the job holds, which says what to do.
#pragma once

#include <string>

#include "job/job_action.h"
#include "job/job_memory.h"

namespace dualgpuopt::memory::job {

/// How a job is held to its budget.
struct BudgetRules {
  Budget budget;
  Duration grace = std::chrono::seconds(10);
  bool has_pressure_command = false;

  static constexpr double kWarnAt = 0.9;   ///< Of the budget.
  static constexpr double kCalmAt = 0.85;  ///< A warning is given again after the job was under this.
};

/// Pure: no threads, no clock reads. The order of things:
///
/// - at nine tenths a warning;
/// - over the budget on two readings, the second newer than the first: a notice of what will happen and when, then the
///   pressure command where there is one, then the grace;
/// - a reading that was taken after the grace and is still over: SIGTERM, the grace once more, SIGKILL;
/// - a complete reading within the budget before that: a notice, and nothing is terminated.
///
/// What is known of only some GPUs can put a job over its budget, but not back within it. Where nothing can be said
/// nothing is done, and the reason is told once. A simulation or recording only tells what would be done.
class BudgetWatch {
 public:
  /// `budget` must not be empty.
  explicit BudgetWatch(BudgetRules rules) : rules_(std::move(rules)) {}

  enum class State {
    Within,
    Over,         ///< By one reading.
    Relieving,    ///< The pressure command is asked for, or runs.
    Grace,        ///< Before it is measured again.
    Terminating,  ///< SIGTERM was sent.
    Killed,
    DryRun,  ///< Over, and told so.
  };

  /// One that is not newer than the last changes nothing.
  [[nodiscard]] JobActions on_measured(const JobMemory& memory, MonoTime now);
  [[nodiscard]] JobActions on_pressure_command_ended(MonoTime now);
  /// Time has passed.
  [[nodiscard]] JobActions on_time(MonoTime now);

  [[nodiscard]] State state() const { return state_; }
  /// What was over the budget when the job was terminated; empty if it was not.
  [[nodiscard]] const std::optional<Limit>& terminated_for() const { return terminated_for_; }
  /// How soon the next reading is wanted.
  [[nodiscard]] Duration wanted_pace(MonoTime now) const;

 private:
  [[nodiscard]] JobActions exceed(const Limit& limit, const JobMemory& memory, MonoTime now);
  [[nodiscard]] JobActions confirm(const Limit& limit, const JobMemory& memory, MonoTime now);
  [[nodiscard]] JobActions verify(const Limit& limit, const JobMemory& memory, MonoTime now);
  [[nodiscard]] JobActions keep_within(const Limit& limit, const std::string& unknown);
  [[nodiscard]] JobActions say_unknown(const std::string& unknown);
  [[nodiscard]] std::string announcement(const Limit& limit) const;

  BudgetRules rules_;
  State state_ = State::Within;
  bool warned_ = false;
  std::string unknown_;  // the last reason that was told
  std::optional<MonoTime> last_;
  MonoTime until_;  // the end of the grace
  double share_ = 0;
  bool is_within_ = false;  // by the last reading
  std::optional<Limit> terminated_for_;
};

/// "holds 21.0 GiB, over its budget of 20.0 GiB on GPU 0" and the like.
[[nodiscard]] std::string describe(const Limit& limit);

}  // namespace dualgpuopt::memory::job
