// How soon a job gives way to others when memory runs out.
#pragma once

#include <sys/types.h>

#include <string>

#include "dualgpuopt/memory/core/error.h"

namespace dualgpuopt::memory::job {

enum class JobPriority { Low, Normal, High };

/// "low", "normal" or "high". Error: InvalidArgument.
[[nodiscard]] Result<JobPriority> parse_priority(const std::string& text);
[[nodiscard]] const char* to_string(JobPriority priority);

/// Sets the kernel's OOM score adjustment of a process, which its children inherit: at least 500 for a low priority, at
/// most -500 for a high one, untouched for a normal one. By it the order "lowest_priority" chooses whom to end, and the
/// kernel when the host's own memory runs out. Errors: PermissionDenied, as a high priority needs CAP_SYS_RESOURCE; Io.
[[nodiscard]] Result<void> set_priority(pid_t pid, JobPriority priority);

}  // namespace dualgpuopt::memory::job
