#include "job/job_signalling.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>

namespace dualgpuopt::memory::job {
namespace {

/// The file descriptor names the process for good, so the start time is compared after it is open.
void signal_one(const ProcessIdentity& process, const ProcessTable& table, int signal) {
  const auto descriptor = static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0));
  if (descriptor < 0) return;
  const auto now = table.read_brief(process.pid);
  if (now && now->identity == process) {
    ::syscall(SYS_pidfd_send_signal, descriptor, signal, nullptr, 0);
    if (signal == SIGTERM) ::syscall(SYS_pidfd_send_signal, descriptor, SIGCONT, nullptr, 0);
  }
  ::close(descriptor);
}

}  // namespace

void signal_job(pid_t group, const JobMembers& members, int signal) {
  const auto outside = members.outside_group();  // before their parents end
  ::kill(-group, signal);
  if (signal == SIGTERM) ::kill(-group, SIGCONT);
  const ProcessTable table;
  for (const auto& process : outside) signal_one(process, table, signal);
}

}  // namespace dualgpuopt::memory::job
