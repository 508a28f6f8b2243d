// Runs a job from its start to its end: signals, children, memory, and what the watch decides.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "job/job_members.h"
#include "job/job_signals.h"
#include "job/job_watch.h"
#include "job/launch.h"
#include "job/memory_watch.h"
#include "job/pressure_command.h"
#include "job/run_record.h"
#include "job/terminal.h"

namespace dualgpuopt::memory::job {

struct JobOptions {
  std::vector<std::string> command;
  std::optional<JobPriority> priority;
  BudgetRules rules;
  std::string pressure_command;  ///< Empty: none.
  Duration pressure_limit = std::chrono::seconds(30);
  std::optional<Duration> interval;  ///< Of readings and lists; else the pace follows what the job holds.
};

/// For the thread that prepared the launch. Waits for signals and looks at everything else ten times a second; it makes
/// no driver call itself and waits for none.
class Supervisor {
 public:
  using Say = std::function<void(const std::string&)>;
  struct Parts {
    const JobSignals& signals;
    const Terminal& terminal;
    MemoryWatch& memory;
    const Clock& clock;  ///< The monitor's.
    Say say;             ///< For the user, a line without its end.
  };

  Supervisor(JobOptions options, Parts parts, pid_t job);

  /// Before the command may go: waits for the driver. False when that is over, or a signal came (interrupted_by()).
  [[nodiscard]] bool wait_for_driver(Duration patience);
  [[nodiscard]] std::optional<int> interrupted_by() const { return interrupted_by_; }

  /// From when the command was let go until it has ended, and what was to be terminated with it.
  [[nodiscard]] RunRecord run();

 private:
  [[nodiscard]] bool is_over() const;
  void answer(int signal);
  void look_after_children();
  [[nodiscard]] bool take_child(pid_t child, int code, int status);
  void follow_stop(int signal);
  void stop_with_job();
  void go_on();
  void look_at_memory();
  void take_memory(const Snapshot& snapshot);
  void act();
  void act_on(const JobAction& action);
  void run_pressure_command(const PressureCause& cause);
  [[nodiscard]] RunRecord finish();

  const JobOptions options_;
  const Parts parts_;
  const pid_t job_;
  MonoTime started_;
  JobWatch watch_;
  JobMembers members_;
  JobStatistics statistics_;
  Sight sight_;
  PressureCommand pressure_;
  std::optional<CommandEnd> end_;
  std::optional<MonoTime> killed_at_;
  std::optional<int> interrupted_by_;
};

/// Makes orphans of the job this process's own children.
void become_reaper();

}  // namespace dualgpuopt::memory::job
