#include "dualgpuopt/memory/alerts/thresholds.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>

#include "core/format.h"

namespace dualgpuopt::memory {
namespace {

constexpr std::array kHighestFirst{Level::Emergency, Level::Critical, Level::Warning};

Result<void> check_percents(const AlertThresholds& thresholds) {
  const double warning = thresholds.warning.percent;
  const double critical = thresholds.critical.percent;
  const double emergency = thresholds.emergency.percent;
  // Written so that a value that is no number is refused too.
  if (0 < warning && warning <= critical && critical <= emergency && emergency <= 100) return {};
  return fail(ErrorCode::InvalidArgument,
              format_text("the alert levels must satisfy 0 < warning <= critical <= emergency <= 100 percent, but are "
                          "{}, {} and {}",
                          warning, critical, emergency));
}

Result<void> check_ranges(const AlertThresholds& thresholds) {
  if (!thresholds.adaptive) return {};
  PercentRange higher{100, 100};
  for (const auto level : kHighestFirst) {
    const auto& [lowest, highest] = thresholds.of(level).range;
    if (!(0 <= lowest && lowest <= highest && lowest <= higher.lowest && highest <= higher.highest)) {
      return fail(ErrorCode::InvalidArgument,
                  format_text("the range of the {} level is {} to {} percent: expected 0 <= lowest <= highest <= 100, "
                              "and neither of them above the next higher level's",
                              to_string(level), lowest, highest));
    }
    higher = {lowest, highest};
  }
  return {};
}

Result<void> check_free_bytes(const AlertThresholds& thresholds) {
  std::optional<Bytes> higher;
  for (const auto level : kHighestFirst) {
    const auto& free = thresholds.of(level).free;
    if (free && higher && *free < *higher) {
      return fail(ErrorCode::InvalidArgument,
                  format_text("the free bytes of the alert levels must not rise with the level, but {} has {} and a "
                              "higher level {}",
                              to_string(level), format_bytes(*free), format_bytes(*higher)));
    }
    if (free) higher = free;
  }
  return {};
}

Result<void> check_times(const AlertThresholds& thresholds) {
  std::optional<Seconds> higher;
  for (const auto level : kHighestFirst) {
    const auto& time = thresholds.of(level).time_to_oom;
    if (!time) continue;
    if (!(time->count() > 0 && std::isfinite(time->count()))) {
      return fail(ErrorCode::InvalidArgument,
                  format_text("the time to OOM of the {} level must be above 0", to_string(level)));
    }
    if (higher && *time < *higher) {
      return fail(
          ErrorCode::InvalidArgument,
          format_text("the times to OOM of the alert levels must not rise with the level, but {} has {} s and a "
                      "higher level {} s",
                      to_string(level), time->count(), higher->count()));
    }
    higher = time;
  }
  return {};
}

Result<void> check_hysteresis(const AlertThresholds& thresholds) {
  const auto& warning = thresholds.warning;
  const double least = thresholds.adaptive ? std::min(warning.percent, warning.range.lowest) : warning.percent;
  if (0 <= thresholds.hysteresis_percent && thresholds.hysteresis_percent < least) return {};
  return fail(ErrorCode::InvalidArgument,
              format_text("the hysteresis must be at least 0 and less than the warning level's {} percent, but is {}",
                          least, thresholds.hysteresis_percent));
}

Result<void> check_durations(const AlertThresholds& thresholds) {
  for (const auto level : kHighestFirst) {
    if (thresholds.of(level).minimum_duration < Duration::zero()) {
      return fail(ErrorCode::InvalidArgument,
                  format_text("the minimum duration of the {} level is negative", to_string(level)));
    }
  }
  if (thresholds.forecast_hold < Duration::zero()) {
    return fail(ErrorCode::InvalidArgument, "the time for which a forecast level is held is negative");
  }
  if (thresholds.repeat_interval >= Duration::zero()) return {};
  return fail(ErrorCode::InvalidArgument, "the repeat interval of alerts is negative; 0 means never");
}

}  // namespace

std::string_view to_string(ThresholdKind kind) {
  switch (kind) {
    case ThresholdKind::Percent: return "percent";
    case ThresholdKind::FreeBytes: return "free_bytes";
    case ThresholdKind::TimeToOom: return "time_to_oom";
  }
  return "unknown";
}

std::optional<ThresholdKind> reached_half(const LevelThreshold& threshold, const MemoryUse& memory,
                                          double hysteresis_percent) {
  const auto percent = memory.occupied_percent();
  if (!percent) return std::nullopt;
  if (*percent >= threshold.percent - hysteresis_percent) return ThresholdKind::Percent;
  if (!threshold.free || !memory.free) return std::nullopt;
  const double most_free = static_cast<double>(*threshold.free) * (1 + hysteresis_percent / 100);
  if (static_cast<double>(*memory.free) <= most_free) return ThresholdKind::FreeBytes;
  return std::nullopt;
}

const LevelThreshold& AlertThresholds::of(Level level) const {
  assert(level != Level::Normal);
  switch (level) {
    case Level::Emergency: return emergency;
    case Level::Critical: return critical;
    default: return warning;
  }
}

Result<void> AlertThresholds::validate() const {
  return check_percents(*this)
      .and_then([this] { return check_ranges(*this); })
      .and_then([this] { return check_free_bytes(*this); })
      .and_then([this] { return check_times(*this); })
      .and_then([this] { return check_hysteresis(*this); })
      .and_then([this] { return check_durations(*this); });
}

LevelMatch match_level(const AlertThresholds& thresholds, const MemoryUse& memory) {
  for (const auto level : kHighestFirst) {
    if (const auto half = reached_half(thresholds.of(level), memory)) return {level, *half};
  }
  return {};
}

}  // namespace dualgpuopt::memory
