#include "dualgpuopt/memory/recovery/rung_times.h"

#include <algorithm>

namespace dualgpuopt::memory {
namespace {

std::size_t index_of(RecoveryStrategy strategy) { return static_cast<std::size_t>(strategy); }

bool has_run(const RungRecord& rung) { return was_tried(rung.outcome) && rung.took > Duration::zero(); }

}  // namespace

RungTimes::RungTimes(const LadderConfig& config) {
  for (const auto rung : {RecoveryStrategy::ClearCache, RecoveryStrategy::ReduceBatch, RecoveryStrategy::Offload,
                          RecoveryStrategy::Terminate}) {
    unmeasured_[index_of(rung)] = config.time_limit_of(rung) + config.settle_of(rung);
  }
}

void RungTimes::add(const Decision& decision) {
  if (decision.end == DecisionEnd::Stopped) return;  // the last rung was cut short
  for (const auto& rung : decision.rungs) {
    if (!has_run(rung)) continue;
    auto& runs = runs_[index_of(rung.strategy)];
    runs.took[runs.count++ % kRemembered] = rung.took;
  }
}

Duration RungTimes::of(RecoveryStrategy strategy) const {
  const auto& runs = runs_[index_of(strategy)];
  return runs.count == 0 ? unmeasured_[index_of(strategy)] : *std::max_element(runs.took.begin(), runs.took.end());
}

Duration RungTimes::of_all(const std::vector<RecoveryStrategy>& rungs) const {
  Duration sum{};
  for (const auto rung : rungs) {
    if (rung != RecoveryStrategy::Terminate) sum += of(rung);
  }
  return sum;
}

}  // namespace dualgpuopt::memory
