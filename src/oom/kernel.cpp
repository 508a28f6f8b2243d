// Linux: the kernel's OOM killer, and what systemd, Kubernetes and Slurm say of it.
#include "oom/oom_family.h"

namespace dualgpuopt::memory {
namespace {

/// "Out of memory: Killed process 1234 (python) total-vm:…kB, anon-rss:…kB, …".
bool is_kernel(std::string_view line) {
  return contains_any(line, {"out of memory: kill", "cgroup out of memory", "oom-kill:constraint="}) ||
         (contains(line, "killed process ") && contains(line, "anon-rss:"));
}

/// "Detected 1 oom-kill event(s) in StepId=7.batch": whoever watched the process.
bool is_told(std::string_view line) {
  return contains_any(line,
                      {"oomkilled", "oom-kill event", "oom_kill event", "oom_kill events", "killed by the oom killer",
                       "cgroup out-of-memory handler", "killed due to the node running low on memory"});
}

bool starts(std::string_view line) { return is_kernel(line) || is_told(line); }

bool continues(std::string_view text, std::string_view line) {
  return contains(text, "oom-kill:constraint=") && contains_any(line, {"out of memory: kill", "cgroup out of memory"});
}

void read(std::string_view text, OomError& error) {
  error.source = OomSource::Linux;
  error.backend = OomBackend::Host;
  error.fatal = true;
  auto pid = number_after(text, "killed process ");
  if (!pid) pid = number_after(text, "kill process ");
  if (!pid) pid = number_after(text, ",pid=");
  const auto used = amount_after(text, "anon-rss:");
  if (pid && *pid < 1U << 31) error.others.push_back({static_cast<int>(*pid), used ? used->bytes : std::nullopt});
}

}  // namespace

OomFamily kernel_family() { return {starts, continues, read, kWrappedLines}; }

}  // namespace dualgpuopt::memory
