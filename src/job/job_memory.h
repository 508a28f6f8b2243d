// What a job holds on the GPUs, added up from the driver's process lists.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "dualgpuopt/memory/monitor/snapshot.h"
#include "job/budget.h"

namespace dualgpuopt::memory::job {

/// On one GPU. `reason` tells why `used` is not all of it, which is then what is known at least.
struct GpuShare {
  int gpu = 0;
  Bytes used = 0;
  std::string reason;

  [[nodiscard]] bool is_known() const { return reason.empty(); }
};

/// At one moment.
struct JobMemory {
  MonoTime time;  ///< Of the oldest list in it.
  Provenance provenance = Provenance::Driver;
  std::vector<GpuShare> gpus;

  [[nodiscard]] Bytes used() const;
  [[nodiscard]] const GpuShare* find(int gpu) const;
  /// Why it is not all, of the first GPU of which it is not known; empty when it is. A GPU without a limit does not
  /// count.
  [[nodiscard]] std::string reason(const Budget& budget) const;
};

/// One of the budget's limits, and what counts against it.
struct Limit {
  std::optional<int> gpu;  ///< Empty: all together.
  Bytes used = 0;
  Bytes budget = 0;

  [[nodiscard]] bool is_exceeded() const { return used > budget; }
  /// Used by budget; infinite where the budget is 0 and something is used.
  [[nodiscard]] double share() const;
};
/// The limit with the largest share; empty for an empty budget.
[[nodiscard]] std::optional<Limit> tightest(const Budget& budget, const JobMemory& memory);

/// Whether the driver's process numbers mean anything here.
enum class Sight { Clear, OtherNamespace };

/// Adds up those processes for which `is_member` holds. In a simulation or recording all count, because their numbers
/// are nobody's here. A partitioned GPU is passed over: its instances have the processes. Empty before the first lists.
[[nodiscard]] std::optional<JobMemory> add_up(const Snapshot& snapshot,
                                              const std::function<bool(const ProcessMemory&)>& is_member, Sight sight);

}  // namespace dualgpuopt::memory::job
