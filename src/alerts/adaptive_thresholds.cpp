#include "dualgpuopt/memory/alerts/adaptive_thresholds.h"

#include <algorithm>

#include "core/format.h"
#include "metrics/json_fields.h"

namespace dualgpuopt::memory {
namespace {

constexpr std::array kLowestFirst{Level::Warning, Level::Critical, Level::Emergency};
constexpr Duration kShortestReaction = std::chrono::seconds(1);
constexpr int kPercentDecimals = 2;

double adapted_percent(const LevelThreshold& threshold, const std::optional<Headroom>& headroom, Bytes total) {
  if (!headroom) return threshold.percent;
  const double percent = 100 * (1 - static_cast<double>(headroom->rise) / static_cast<double>(total));
  return std::clamp(percent, threshold.range.lowest, threshold.range.highest);
}

}  // namespace

std::string LearnedThreshold::text() const {
  return format_text("{} from {} ({}): within {} use rises by {} above its peak", to_string(level),
                     format_percent(percent), format_percent(configured), format_duration(headroom.within),
                     headroom.rise == 0 ? "next to nothing" : "up to " + format_bytes(headroom.rise));
}

std::array<Duration, 3> reaction_times(Duration recovery_time, Duration horizon) {
  const auto recovery = std::max(recovery_time, kShortestReaction);
  return {std::max(horizon, recovery) + recovery, 2 * recovery, recovery};
}

AlertThresholds adapt(const AlertThresholds& configured, const Headrooms& headrooms, Bytes total) {
  if (total == 0) return configured;
  auto adapted = configured;
  adapted.emergency.percent = adapted_percent(configured.emergency, headrooms[2], total);
  adapted.critical.percent =
      std::min(adapted.emergency.percent, adapted_percent(configured.critical, headrooms[1], total));
  adapted.warning.percent =
      std::min(adapted.critical.percent, adapted_percent(configured.warning, headrooms[0], total));
  return adapted;
}

std::vector<LearnedThreshold> learned_thresholds(const AlertThresholds& configured, const AlertThresholds& adapted,
                                                 const Headrooms& headrooms) {
  std::vector<LearnedThreshold> learned;
  for (std::size_t i = 0; i < kLowestFirst.size(); ++i) {
    const auto level = kLowestFirst[i];
    if (!headrooms[i]) continue;
    learned.push_back({level, adapted.of(level).percent, configured.of(level).percent, *headrooms[i]});
  }
  return learned;
}

std::string to_json(const LearnedThreshold& threshold, int gpu, const TimeStamp& time, Provenance provenance) {
  auto record = start_record("threshold", time);
  record["gpu"] = gpu;
  record["provenance"] = to_string(provenance);
  record["level"] = to_string(threshold.level);
  record["percent"] = rounded(threshold.percent, kPercentDecimals);
  record["configured_percent"] = rounded(threshold.configured, kPercentDecimals);
  record["rise_bytes"] = threshold.headroom.rise;
  record["within_s"] = rounded_seconds(Seconds(threshold.headroom.within).count());
  record["text"] = threshold.text();
  return dump(record);
}

}  // namespace dualgpuopt::memory
