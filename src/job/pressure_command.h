// The user's own command that is to make a job hold less.
#pragma once

#include <optional>
#include <string>

#include "dualgpuopt/memory/core/clock.h"
#include "dualgpuopt/memory/core/error.h"
#include "job/job_action.h"
#include "job/job_signals.h"

namespace dualgpuopt::memory::job {

/// Runs a shell command in a process group of its own, with nothing to read and its output on standard error, one at a
/// time. The kernel kills it when this process is killed.
class PressureCommand {
 public:
  /// `signals` must outlive it.
  PressureCommand(std::string command, Duration limit, const JobSignals& signals)
      : command_(std::move(command)), limit_(limit), signals_(signals) {}

  /// Returns its process, which is its group too. Error: Io. It must not run already.
  [[nodiscard]] Result<pid_t> start(const PressureCause& cause, pid_t job, MonoTime now);
  /// Kills it when its time is up; true once, when it did.
  [[nodiscard]] bool enforce_limit(MonoTime now);
  /// Takes note that a child has ended; true if it was this.
  [[nodiscard]] bool has_ended(pid_t child);
  /// Kills it if it runs, and waits for nothing.
  void kill() const;

  [[nodiscard]] bool is_running() const { return running_.has_value(); }

 private:
  std::string command_;
  Duration limit_;
  const JobSignals& signals_;
  std::optional<pid_t> running_;
  MonoTime until_;
  bool killed_ = false;
};

}  // namespace dualgpuopt::memory::job
