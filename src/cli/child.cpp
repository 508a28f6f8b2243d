#include "cli/child.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "core/format.h"
#include "dualgpuopt/memory/core/units.h"

namespace dualgpuopt::memory::cli {
namespace {

constexpr auto kWhyItMayHang =
    "a call may be stuck in the GPU driver; see the kernel's log, and try the driver's own tool";

/// The way of the exit code from child to parent.
class Pipe {
 public:
  Pipe() : is_open_(::pipe(ends_.data()) == 0) {}
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    close_reading();
    close_writing();
  }

  [[nodiscard]] bool is_open() const { return is_open_; }
  [[nodiscard]] int reading() const { return ends_[0]; }
  [[nodiscard]] int writing() const { return ends_[1]; }
  void close_reading() { close(ends_[0]); }
  void close_writing() { close(ends_[1]); }

 private:
  static void close(int& end) {
    if (end >= 0) ::close(end);
    end = -1;
  }

  std::array<int, 2> ends_{-1, -1};
  bool is_open_;
};

/// Ends the child without what runs at a normal exit: it is the parent's.
[[noreturn]] void run_child(const std::function<int()>& action, const Pipe& pipe) {
  const int code = action();
  std::fflush(nullptr);
  const auto byte = static_cast<unsigned char>(code);
  const auto written = ::write(pipe.writing(), &byte, 1);
  std::_Exit(written == 1 ? 0 : 1);
}

/// Waits until there is something to read, or the other end is closed.
bool wait_for_input(int descriptor, Duration patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    pollfd wanted{descriptor, POLLIN, 0};
    const int ready = ::poll(&wanted, 1, static_cast<int>(std::max<decltype(left)>(left, 0)));
    if (ready >= 0 || errno != EINTR) return ready > 0;
  }
}

std::string describe_end(pid_t child) {
  int status = 0;
  if (::waitpid(child, &status, 0) == child && WIFSIGNALED(status)) {
    return format_text("it was ended by signal {} ({})", WTERMSIG(status), ::strsignal(WTERMSIG(status)));
  }
  return "it ended without a result";
}

}  // namespace

Result<int> run_in_child(const std::function<int()>& action, Duration patience) {
  Pipe pipe;
  if (!pipe.is_open()) return fail(ErrorCode::Io, format_text("cannot make a pipe: {}", std::strerror(errno)));
  std::fflush(nullptr);  // or both would write what is waiting there
  const pid_t child = ::fork();
  if (child < 0) return fail(ErrorCode::Io, format_text("cannot start a process: {}", std::strerror(errno)));
  if (child == 0) run_child(action, pipe);

  pipe.close_writing();
  if (!wait_for_input(pipe.reading(), patience)) {
    ::kill(child, SIGKILL);  // what it would still write comes too late
    return fail(ErrorCode::Unavailable,
                format_text("the driver has not answered for {}; {}", format_duration(patience), kWhyItMayHang));
  }
  unsigned char code = 0;
  if (::read(pipe.reading(), &code, 1) == 1) return code;
  return fail(ErrorCode::Unavailable, "the process that reads the GPUs died: " + describe_end(child));
}

}  // namespace dualgpuopt::memory::cli
