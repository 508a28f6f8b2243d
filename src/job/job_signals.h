// Signals as a queue instead of interruptions.
#pragma once

#include <csignal>
#include <optional>

#include "dualgpuopt/memory/core/clock.h"

namespace dualgpuopt::memory::job {

/// Blocks what a supervisor has to answer to, so that it can wait for it. Make one before there are other threads,
/// which then have the same signals blocked. Lives until the process ends: nothing is restored but in children.
class JobSignals {
 public:
  JobSignals();

  /// The next signal, or none within `patience`.
  [[nodiscard]] std::optional<int> wait(Duration patience) const;
  /// Whether that signal has come; it is taken.
  [[nodiscard]] bool take(int signal) const;
  /// The signal does what it does by default if it has come, and nothing if something took it back before.
  void let_act(int signal) const;
  /// For a child between fork and exec: everything as this process was started with. Async-signal-safe.
  void restore_in_child() const;

  /// Whether the job gets it when the supervisor does.
  [[nodiscard]] static bool is_passed_on(int signal);

 private:
  sigset_t waited_for_{};
  sigset_t before_{};
  struct sigaction child_before_ {};
  struct sigaction pipe_before_ {};
};

}  // namespace dualgpuopt::memory::job
