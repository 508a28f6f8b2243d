#include "fakes/nvml/story/real_processes.h"

namespace nvml_fake {

using dualgpuopt::memory::ProcessState;

bool RealProcesses::is_gone(const Process& process, Duration now) {
  const auto found = table_.read_brief(static_cast<pid_t>(process.pid));
  const bool lives = found && found->state == ProcessState::Alive;
  const auto [place, is_first] = seen_.try_emplace(process.pid);
  auto& seen = place->second;
  if (is_first && lives) seen.start_ticks = found->identity.start_ticks;
  if (is_first && !lives) seen.ended_at = now - process.lingers;  // whatever lingered did so before
  const bool is_another = lives && found->identity.start_ticks != seen.start_ticks;
  if ((!lives || is_another) && !seen.ended_at) seen.ended_at = now;
  return seen.ended_at && now >= *seen.ended_at + process.lingers;
}

}  // namespace nvml_fake
