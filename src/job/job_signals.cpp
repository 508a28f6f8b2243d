#include "job/job_signals.h"

#include <algorithm>
#include <array>
#include <ctime>

namespace dualgpuopt::memory::job {
namespace {

constexpr std::array kPassedOn{SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGTSTP, SIGWINCH};
/// The terminal would stop whoever is in the background and sets its foreground group, or writes.
constexpr std::array kOwn{SIGCHLD, SIGCONT, SIGTTOU, SIGTTIN};

timespec to_timespec(Duration duration) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(duration);
  return {seconds.count(), (duration - seconds).count()};
}

sigset_t set_of(int signal) {
  sigset_t set{};
  ::sigemptyset(&set);
  ::sigaddset(&set, signal);
  return set;
}

/// As under nohup: the job ignores it as well.
bool is_ignored(int signal) {
  struct sigaction action {};
  return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

void set_handler(int signal, void (*handler)(int), struct sigaction& before) {
  struct sigaction action {};
  action.sa_handler = handler;
  ::sigaction(signal, &action, &before);
}

}  // namespace

JobSignals::JobSignals() {
  ::sigemptyset(&waited_for_);
  for (const int signal : kPassedOn) {
    if (!is_ignored(signal)) ::sigaddset(&waited_for_, signal);
  }
  for (const int signal : kOwn) ::sigaddset(&waited_for_, signal);
  ::pthread_sigmask(SIG_BLOCK, &waited_for_, &before_);
  set_handler(SIGCHLD, SIG_DFL, child_before_);  // ignored, it would make the kernel forget how children ended
  set_handler(SIGPIPE, SIG_IGN, pipe_before_);   // nobody reading our notices must not end the job
}

std::optional<int> JobSignals::wait(Duration patience) const {
  const auto timeout = to_timespec(std::max(patience, Duration::zero()));
  const int signal = ::sigtimedwait(&waited_for_, nullptr, &timeout);
  return signal > 0 ? std::optional(signal) : std::nullopt;
}

bool JobSignals::take(int signal) const {
  const auto only = set_of(signal);
  const timespec at_once{};
  return ::sigtimedwait(&only, nullptr, &at_once) == signal;
}

void JobSignals::let_act(int signal) const {
  const auto only = set_of(signal);
  ::pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
  ::pthread_sigmask(SIG_BLOCK, &only, nullptr);
}

void JobSignals::restore_in_child() const {
  ::sigaction(SIGCHLD, &child_before_, nullptr);
  ::sigaction(SIGPIPE, &pipe_before_, nullptr);
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

bool JobSignals::is_passed_on(int signal) {
  return std::find(kPassedOn.begin(), kPassedOn.end(), signal) != kPassedOn.end();
}

}  // namespace dualgpuopt::memory::job
