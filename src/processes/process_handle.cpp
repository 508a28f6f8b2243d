#include "dualgpuopt/memory/processes/process_handle.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "core/format.h"

namespace dualgpuopt::memory {
namespace {

// By number, because C libraries have had functions for them only since glibc 2.36, and headers with them differ.
int open_pidfd(pid_t pid) { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U)); }

int send_signal(int descriptor, int number) {
  return static_cast<int>(::syscall(SYS_pidfd_send_signal, descriptor, number, nullptr, 0U));
}

ErrorCode code_of(int problem) {
  switch (problem) {
    case ESRCH: return ErrorCode::NotFound;
    case EPERM:
    case EACCES: return ErrorCode::PermissionDenied;
    case ENOSYS: return ErrorCode::Unsupported;
    default: return ErrorCode::Io;
  }
}

tl::unexpected<Error> failure(int problem, std::string_view what, pid_t pid) {
  const auto* hint = problem == ENOSYS ? "; it takes Linux 5.3 or newer" : "";
  return fail(code_of(problem),
              format_text("cannot {} process {}: {}{}", what, pid, std::generic_category().message(problem), hint));
}

tl::unexpected<Error> has_gone(pid_t pid) {
  return fail(ErrorCode::NotFound, format_text("process {} has exited", pid));
}

int milliseconds(Duration limit) {
  constexpr Duration kLongest = std::chrono::hours(24);
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(std::min(limit, kLongest)).count());
}

}  // namespace

Result<ProcessHandle> ProcessHandle::open(const ProcessIdentity& identity, const ProcessTable& table) {
  const int descriptor = open_pidfd(identity.pid);
  if (descriptor < 0) return failure(errno, "open", identity.pid);
  ProcessHandle handle(identity, descriptor);
  const auto now = table.read_brief(identity.pid);
  if (!now) return fail(now.error());
  if (now->identity != identity) {
    return fail(ErrorCode::NotFound,
                format_text("PID {} belongs to another process now, which started later", identity.pid));
  }
  if (handle.has_exited()) return has_gone(identity.pid);
  return handle;
}

ProcessHandle::ProcessHandle(ProcessHandle&& other) noexcept
    : identity_(other.identity_), descriptor_(std::exchange(other.descriptor_, -1)) {}

ProcessHandle::~ProcessHandle() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<void> ProcessHandle::signal(int number) const {
  if (has_exited()) return has_gone(identity_.pid);  // the kernel would take a signal for a zombie
  if (send_signal(descriptor_, number) != 0) return failure(errno, "signal", identity_.pid);
  return {};
}

bool ProcessHandle::wait_for_exit(Duration limit) const {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (true) {
    pollfd wanted{descriptor_, POLLIN, 0};
    const int ready = ::poll(&wanted, 1, milliseconds(std::max(limit, Duration::zero())));
    if (ready >= 0) return ready > 0;
    if (errno != EINTR) return false;
    limit = deadline - std::chrono::steady_clock::now();
  }
}

}  // namespace dualgpuopt::memory
