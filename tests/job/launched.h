// Children of a test.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <functional>

namespace dualgpuopt::memory::job {

/// How a child ended: its code, or 128 and its signal.
inline int exit_code_of(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// What changes the process itself is done in a child.
inline int exit_code_in_child(const std::function<int()>& action) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(action());
  return exit_code_of(child);
}

}  // namespace dualgpuopt::memory::job
