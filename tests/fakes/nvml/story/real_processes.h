// Processes of a scenario that stand for processes of this machine: what they hold comes back when those end.
#pragma once

#include <map>
#include <optional>

#include "dualgpuopt/memory/processes/process_table.h"
#include "fakes/nvml/story/scenario.h"

namespace nvml_fake {

class RealProcesses {
 public:
  /// Whether it has ended, by this machine's table, and the time that its memory lingers is over. A PID that is given
  /// to another process is no longer it; a zombie has ended.
  [[nodiscard]] bool is_gone(const Process& process, Duration now);

 private:
  struct Seen {
    std::uint64_t start_ticks = 0;
    std::optional<Duration> ended_at;
  };

  dualgpuopt::memory::ProcessTable table_;
  std::map<unsigned, Seen> seen_;
};

}  // namespace nvml_fake
