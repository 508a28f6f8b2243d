#include "job/job_signalling.h"

#include <csignal>

#include "dualgpuopt/memory/processes/process_handle.h"

namespace dualgpuopt::memory::job {
namespace {

void signal_one(const ProcessIdentity& process, int signal) {
  const auto handle = ProcessHandle::open(process);
  if (!handle) return;  // it has exited
  (void)handle->signal(signal);
  if (signal == SIGTERM) (void)handle->signal(SIGCONT);
}

}  // namespace

void signal_job(pid_t group, const JobMembers& members, int signal) {
  const auto outside = members.outside_group();  // before their parents end
  ::kill(-group, signal);
  if (signal == SIGTERM) ::kill(-group, SIGCONT);
  for (const auto& process : outside) signal_one(process, signal);
}

}  // namespace dualgpuopt::memory::job
