// The terminal's foreground: who gets Ctrl-C and Ctrl-Z, and who may read the keyboard.
#pragma once

#include <sys/types.h>

namespace dualgpuopt::memory::job {

/// Hands the terminal of standard input over to a job's process group, and takes it back. Without a terminal, or while
/// our own group is in the background, nothing happens. SIGTTOU must be blocked.
///
/// At once when the command line is a job of an interactive shell alone: in a pipeline or a script others of our group
/// have the same right to the keyboard, and Ctrl-C must reach them; there the job gets it when it wants to read.
class Terminal {
 public:
  /// Looks at standard input and output.
  Terminal();

  [[nodiscard]] bool is_for_job_at_once() const { return is_alone_; }
  /// If it is ours.
  void give_to(pid_t group) const;
  /// Whether our own group is in the foreground.
  [[nodiscard]] bool is_ours() const;
  /// If the job has it.
  void take_back_from(pid_t group) const;

 private:
  bool is_there_;
  bool is_alone_;
};

/// Whether nobody could continue us if we stopped: above our process group there is no shell of our session.
[[nodiscard]] bool is_orphaned();

}  // namespace dualgpuopt::memory::job
