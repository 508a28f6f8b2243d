// A real process that is nobody's child, so that it does not belong to the test's own family.
#pragma once

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <stdexcept>
#include <utility>

#include "dualgpuopt/memory/processes/process_handle.h"

namespace dualgpuopt::memory::testing {

/// How it takes TERM.
enum class Temper { Complies, Ignores, ForksAndExits, Execs };

/// Lives until it is ended, at the latest by the destructor; if the test dies, for two minutes.
class Orphan {
 public:
  explicit Orphan(Temper temper) : Orphan(temper, start(temper)) {}
  Orphan(const Orphan&) = delete;
  Orphan& operator=(const Orphan&) = delete;
  ~Orphan() { (void)handle_.signal(SIGKILL); }

  [[nodiscard]] const ProcessIdentity& identity() const { return handle_.identity(); }
  [[nodiscard]] pid_t pid() const { return identity().pid; }
  [[nodiscard]] const ProcessHandle& handle() const { return handle_; }
  [[nodiscard]] Temper temper() const { return temper_; }

 private:
  static constexpr unsigned kLongestLife = 120;

  Orphan(Temper temper, pid_t pid) : temper_(temper), handle_(hold(pid)) {}

  static ProcessHandle hold(pid_t pid) {
    const auto seen = ProcessTable().read_brief(pid);
    if (!seen) throw std::runtime_error(seen.error().describe());
    auto handle = ProcessHandle::open(seen->identity);
    if (!handle) throw std::runtime_error(handle.error().describe());
    return std::move(*handle);
  }

  static void fork_and_exit(int /*signal*/) {
    if (::fork() == 0) {
      sigset_t none;  // in a handler signals are blocked, under the thread sanitizer all of them, the alarm's too
      ::sigemptyset(&none);
      ::sigprocmask(SIG_SETMASK, &none, nullptr);
      ::signal(SIGTERM, SIG_DFL);
      ::alarm(2);
      while (true) ::pause();
    }
    ::_exit(0);
  }

  [[noreturn]] static void live(Temper temper, const std::array<int, 2>& told) {
    ::alarm(kLongestLife);
    ::prctl(PR_SET_NAME, "holder");
    ::setpgid(0, 0);
    if (temper == Temper::Ignores) ::signal(SIGTERM, SIG_IGN);
    if (temper == Temper::ForksAndExits) ::signal(SIGTERM, fork_and_exit);
    const pid_t self = ::getpid();
    if (::write(told[1], &self, sizeof(self)) != sizeof(self)) ::_exit(1);
    ::close(told[0]);
    ::close(told[1]);
    if (temper == Temper::Execs) ::execl("/bin/sleep", "holder", "120", nullptr);
    while (true) ::pause();
  }

  static pid_t start(Temper temper) {
    std::array<int, 2> told{};
    if (::pipe2(told.data(), O_CLOEXEC) != 0) throw std::runtime_error("cannot make a pipe");
    const pid_t between = ::fork();
    if (between == 0) {
      if (::fork() == 0) live(temper, told);
      ::_exit(0);
    }
    ::waitpid(between, nullptr, 0);
    ::close(told[1]);
    pid_t pid = 0;
    if (::read(told[0], &pid, sizeof(pid)) != sizeof(pid)) throw std::runtime_error("the orphan did not come up");
    if (temper == Temper::Execs) wait_for_end(told[0]);
    ::close(told[0]);
    return pid;
  }
  /// Both ends are closed in the other process once it has become another program.
  static void wait_for_end(int descriptor) {
    char nothing = 0;
    while (::read(descriptor, &nothing, 1) > 0) continue;
  }

  Temper temper_;
  ProcessHandle handle_;
};

}  // namespace dualgpuopt::memory::testing
