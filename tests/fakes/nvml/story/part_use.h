// How much of a GPU or a MIG instance is used at a time, and by whom: a pure function of the scenario and the time.
#pragma once

#include <map>

#include "fakes/nvml/story/scenario.h"
#include "sources/motion.h"

namespace nvml_fake {

using dualgpuopt::memory::NoiseKey;

/// What the live control says of a process.
struct ProcessOverride {
  std::optional<Bytes> used;
  bool gone = false;
  Process newcomer;  ///< Who it is if the scenario has no process of that PID.
};

/// What the live control says of a part.
struct PartOverride {
  std::optional<Bytes> used;
  std::map<unsigned, ProcessOverride> processes;  ///< By PID.
};

/// A process that runs, as the driver lists it.
struct Holding {
  unsigned pid = 0;
  Lists lists;
  MemoryKnown memory = MemoryKnown::Yes;
  Bytes used = 0;
};

struct PartUse {
  Bytes used = 0;
  std::vector<Holding> holdings;
};

/// What does not fit is cut off; processes are served in the order in which they are written.
[[nodiscard]] PartUse measure(const Part& part, Duration now, NoiseKey key, const PartOverride& live);

/// The most that a process has held until `now`, looking at where its motions begin and end.
[[nodiscard]] Bytes most_held(const Part& part, const Process& process, Duration now);

}  // namespace nvml_fake
