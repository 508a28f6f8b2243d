// Starting the job's command in a process group of its own, held at a gate until it may go.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "dualgpuopt/memory/core/error.h"
#include "job/job_priority.h"
#include "job/job_signals.h"
#include "job/terminal.h"

namespace dualgpuopt::memory::job {

/// The process that will become the command. It is made before there are other threads and before a driver is open, so
/// that it inherits nothing of either, and waits.
class Launch {
 public:
  /// Forks; without a priority none is set or told. Call it from the thread that lives longest: when that ends, and so
  /// when this process is killed, the job's leader gets SIGTERM (PR_SET_PDEATHSIG). Errors: Io, and those of
  /// set_priority.
  [[nodiscard]] static Result<Launch> prepare(const std::vector<std::string>& command,
                                              std::optional<JobPriority> priority, const JobSignals& signals);
  Launch(Launch&& other) noexcept;
  Launch& operator=(Launch&&) = delete;
  /// A process that was not let go ends without having run the command.
  ~Launch();

  /// Leader and group.
  [[nodiscard]] pid_t job() const { return job_; }
  /// Runs the command, which gets the terminal if that is its alone. Returns errno if that failed, which ends the
  /// process; 0 when it runs.
  [[nodiscard]] int let_go(const Terminal& terminal);

 private:
  Launch(pid_t job, int gate, int answer) : job_(job), gate_(gate), answer_(answer) {}

  pid_t job_;
  int gate_;    // a byte lets it go
  int answer_;  // errno of the exec, or closed by it
};

/// What env(1) exits with for it: 127 if there is no such command, else 126.
[[nodiscard]] int exit_code_of_failed_exec(int error);

/// This process's environment with these entries ("NAME=value") put over it.
[[nodiscard]] std::vector<std::string> environment_with(const std::vector<std::string>& entries);
/// Pointers to the texts and a null, as exec wants them; good as long as the texts are.
[[nodiscard]] std::vector<char*> pointers_to(std::vector<std::string>& texts);

}  // namespace dualgpuopt::memory::job
