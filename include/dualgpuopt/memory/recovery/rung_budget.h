// How often a rung is tried that frees nothing.
#pragma once

#include <map>
#include <utility>

#include "dualgpuopt/memory/recovery/ladder.h"

namespace dualgpuopt::memory {

/// That a rung may not be tried before `until`, having freed nothing so many times in a row.
struct RungRest {
  MonoTime until{};
  unsigned failures = 0;
};
using RestingRungs = std::map<RecoveryStrategy, RungRest>;

/// Counts, for each device and rung, the climbs in a row in which it ran and freed nothing, failed or timed out, and
/// lets it rest as RungLimits say. Under Verification::Callback nothing rests: there is no measured truth to judge by,
/// and the original module tried every callback each time. Space: one entry a device and rung. Not thread-safe.
class RungBudget {
 public:
  /// `config` must be valid, and outlive this.
  explicit RungBudget(const LadderConfig& config) : config_(config) {}

  /// Takes in a climb that ended at `now`.
  void add(const Decision& decision, MonoTime now);

  /// Begins anew for a rung, whose strategy is another one now.
  void forget(RecoveryStrategy rung);

  /// The rungs of a device that rest at `now`.
  [[nodiscard]] RestingRungs resting(int gpu, MonoTime now) const;

 private:
  void note(RungRest& account, const RungRecord& rung, MonoTime now) const;

  const LadderConfig& config_;
  std::map<std::pair<int, RecoveryStrategy>, RungRest> accounts_;
};

}  // namespace dualgpuopt::memory
