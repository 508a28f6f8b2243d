// How long recovery takes, learned from the climbs so far.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "dualgpuopt/memory/recovery/ladder.h"

namespace dualgpuopt::memory {

/// Remembers how long each rung took, from its call to the end of its settling. Constant space. Not thread-safe.
class RungTimes {
 public:
  /// `config` must be valid. A rung that has not run yet counts with the time that it may take at most.
  explicit RungTimes(const LadderConfig& config);

  /// Takes in the rungs of a climb that were called and came to an end.
  void add(const Decision& decision);

  /// The longest of the last kRemembered runs.
  [[nodiscard]] Duration of(RecoveryStrategy strategy) const;
  /// Of one rung after the other, without Terminate, which no forecast may start.
  [[nodiscard]] Duration of_all(const std::vector<RecoveryStrategy>& rungs) const;

  static constexpr std::size_t kRemembered = 8;

 private:
  struct Runs {
    std::array<Duration, kRemembered> took{};
    std::size_t count = 0;
  };

  std::array<Duration, 4> unmeasured_{};  // by strategy, as is
  std::array<Runs, 4> runs_{};
};

}  // namespace dualgpuopt::memory
