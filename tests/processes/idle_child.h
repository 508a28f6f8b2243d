// A real process to look at.
#pragma once

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <stdexcept>

namespace dualgpuopt::memory {

/// A child that does nothing until it is killed, at the latest by the destructor.
class IdleChild {
 public:
  /// Returns once the child has its command name.
  explicit IdleChild(const char* name) {
    std::array<int, 2> named{};
    if (::pipe(named.data()) != 0) throw std::runtime_error("cannot make a pipe");
    pid_ = ::fork();
    if (pid_ == 0) idle(name, named);
    ::close(named[1]);
    char nothing = 0;
    if (::read(named[0], &nothing, 1) != 0) throw std::runtime_error("the child did not come up");
    ::close(named[0]);
  }
  IdleChild(const IdleChild&) = delete;
  IdleChild& operator=(const IdleChild&) = delete;
  ~IdleChild() {
    if (reaped_) return;
    kill();
    reap();
  }

  [[nodiscard]] pid_t pid() const { return pid_; }
  /// Ends it and returns when it is a zombie.
  void kill() const {
    ::kill(pid_, SIGKILL);
    siginfo_t ended{};
    ::waitid(P_PID, static_cast<id_t>(pid_), &ended, WEXITED | WNOWAIT);
  }
  void reap() {
    ::waitpid(pid_, nullptr, 0);
    reaped_ = true;
  }

 private:
  [[noreturn]] static void idle(const char* name, const std::array<int, 2>& named) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::prctl(PR_SET_NAME, name);
    ::close(named[1]);  // the parent sees the pipe's end
    while (true) ::pause();
  }

  pid_t pid_ = 0;
  bool reaped_ = false;
};

}  // namespace dualgpuopt::memory
