#include "job/terminal.h"

#include <sys/stat.h>
#include <unistd.h>

#include "dualgpuopt/memory/processes/process_table.h"

namespace dualgpuopt::memory::job {
namespace {

bool is_pipe(int descriptor) {
  struct stat status {};
  return ::fstat(descriptor, &status) == 0 && S_ISFIFO(status.st_mode);
}

}  // namespace

Terminal::Terminal()
    : is_there_(::isatty(STDIN_FILENO) == 1),
      is_alone_(is_there_ && is_ours() && ::getpgrp() == ::getpid() && !is_pipe(STDOUT_FILENO)) {}

void Terminal::give_to(pid_t group) const {
  if (is_ours()) ::tcsetpgrp(STDIN_FILENO, group);
}

bool Terminal::is_ours() const { return is_there_ && ::tcgetpgrp(STDIN_FILENO) == ::getpgrp(); }

void Terminal::take_back_from(pid_t group) const {
  if (is_there_ && ::tcgetpgrp(STDIN_FILENO) == group) ::tcsetpgrp(STDIN_FILENO, ::getpgrp());
}

bool is_orphaned() {
  const ProcessTable table;
  pid_t above = ::getppid();
  while (above > 0 && ::getpgid(above) == ::getpgrp()) {
    const auto process = table.read_brief(above);
    above = process ? process->parent : 0;
  }
  return above <= 0 || ::getsid(above) != ::getsid(0);
}

}  // namespace dualgpuopt::memory::job
