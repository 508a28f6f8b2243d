#include "job/pressure_command.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "core/format.h"
#include "job/launch.h"

namespace dualgpuopt::memory::job {
namespace {

constexpr int kCannotRun = 126;

/// Where a number is not known or does not apply the text is empty.
std::vector<std::string> entries_for(const PressureCause& cause, pid_t job) {
  return {format_text("GPUMEM_JOB={}", job), "GPUMEM_GPU=" + (cause.gpu ? std::to_string(*cause.gpu) : ""),
          format_text("GPUMEM_USED_BYTES={}", cause.used),
          "GPUMEM_BUDGET_BYTES=" + (cause.budget ? std::to_string(*cause.budget) : ""),
          "GPUMEM_REASON=" + cause.reason};
}

/// Async-signal-safe.
[[noreturn]] void become_shell(char** arguments, char** environment, pid_t parent, const JobSignals& signals) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(kCannotRun);
  ::setpgid(0, 0);
  const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (nothing >= 0) ::dup2(nothing, STDIN_FILENO);
  ::dup2(STDERR_FILENO, STDOUT_FILENO);  // standard output is the job's
  signals.restore_in_child();
  ::execve("/bin/sh", arguments, environment);
  ::_exit(kCannotRun);
}

}  // namespace

Result<pid_t> PressureCommand::start(const PressureCause& cause, pid_t job, MonoTime now) {
  auto environment = environment_with(entries_for(cause, job));
  std::vector<std::string> arguments{"sh", "-c", command_};
  const auto argument_pointers = pointers_to(arguments);
  const auto environment_pointers = pointers_to(environment);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) {
    become_shell(const_cast<char**>(argument_pointers.data()), const_cast<char**>(environment_pointers.data()), parent,
                 signals_);
  }
  if (child < 0) return fail(ErrorCode::Io, format_text("cannot start a process: {}", std::strerror(errno)));
  ::setpgid(child, child);
  running_ = child;
  until_ = now + limit_;
  killed_ = false;
  return child;
}

bool PressureCommand::enforce_limit(MonoTime now) {
  if (!running_ || killed_ || now < until_) return false;
  killed_ = true;
  kill();
  return true;
}

bool PressureCommand::has_ended(pid_t child) {
  if (running_ != child) return false;
  running_.reset();
  return true;
}

void PressureCommand::kill() const {
  if (running_) ::kill(-*running_, SIGKILL);
}

}  // namespace dualgpuopt::memory::job
