// Signals to all of a job.
#pragma once

#include "job/job_members.h"

namespace dualgpuopt::memory::job {

/// To the group, and to every process of the job that left it, each by its own identity. SIGTERM is followed by
/// SIGCONT, so that a stopped process gets to know it. The leader must not have been reaped, which would give its
/// number away.
void signal_job(pid_t group, const JobMembers& members, int signal);

}  // namespace dualgpuopt::memory::job
