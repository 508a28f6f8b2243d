#include "dualgpuopt/memory/alerts/memory_alert.h"

#include <algorithm>

#include "core/format.h"
#include "metrics/json_fields.h"

namespace dualgpuopt::memory {
namespace {

constexpr int kPercentDecimals = 2;

std::string upper_case(std::string_view text) {
  std::string upper(text);
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](char c) { return (c >= 'a' && c <= 'z') ? static_cast<char>(c - 'a' + 'A') : c; });
  return upper;
}

std::string_view condition(Level level) {
  switch (level) {
    case Level::Normal: return "is normal";
    case Level::Warning: return "is high";
    case Level::Critical: return "is approaching critical level";
    case Level::Emergency: return "is at emergency level, OOM risk";
  }
  return "is unknown";
}

/// What the alert measured, in the terms of its threshold, with the threshold where that is reached.
std::string percent_comparison(const MemoryAlert& alert) {
  auto measured = format_percent(alert.used_percent);
  if (alert.event == AlertEvent::Cleared || alert.used_percent < alert.threshold.percent) return measured;
  return format_text("{} > {}", measured, format_percent(alert.threshold.percent));
}

std::string free_comparison(const MemoryAlert& alert) {
  const Bytes free = *alert.memory.free;
  const Bytes least = *alert.threshold.free;
  auto measured = format_bytes(free) + " free";
  if (alert.event == AlertEvent::Cleared || free > least) return measured;
  return format_text("{} < {}", measured, format_bytes(least));
}

std::string forecast_comparison(const MemoryAlert& alert) {
  const auto time = std::chrono::duration_cast<Duration>(*alert.forecast->time_to_oom);
  return format_text("in {}, {}", format_duration(time), explain(*alert.forecast));
}

std::string comparison(const MemoryAlert& alert) {
  const bool is_foreseen = alert.forecast && alert.forecast->time_to_oom && alert.event != AlertEvent::Cleared;
  if (alert.reached_by == ThresholdKind::TimeToOom && is_foreseen) return forecast_comparison(alert);
  const bool knows_free = alert.memory.free && alert.threshold.free;
  return alert.reached_by == ThresholdKind::FreeBytes && knows_free ? free_comparison(alert)
                                                                    : percent_comparison(alert);
}

JsonRecord threshold_record(const LevelThreshold& threshold) {
  JsonRecord record;
  record["percent"] = rounded(threshold.percent, kPercentDecimals);
  record["free_bytes"] = or_null(threshold.free);
  record["minimum_duration_s"] = rounded_seconds(Seconds(threshold.minimum_duration).count());
  record["time_to_oom_s"] = seconds_or_null(threshold.time_to_oom);
  return record;
}

JsonRecord forecast_behind(const MemoryAlert& alert) {
  if (!alert.forecast) return nullptr;
  return forecast_record(*alert.forecast, alert.gpu, alert.memory.occupied(), alert.provenance);
}

JsonRecord alert_record(const MemoryAlert& alert) {
  auto record = start_record("alert", alert.time);
  record["gpu"] = alert.gpu;
  record["provenance"] = to_string(alert.provenance);
  record["event"] = to_string(alert.event);
  record["level"] = to_string(alert.level);
  record["current_level"] = to_string(alert.current);
  record["message"] = alert.message;
  record["recommendations"] = alert.recommendations;
  record["text"] = alert.text();
  record["total_bytes"] = or_null(alert.memory.total);
  record["used_bytes"] = alert.memory.used;
  record["free_bytes"] = or_null(alert.memory.free);
  record["used_percent"] = rounded(alert.used_percent, kPercentDecimals);
  record["reached_by"] = to_string(alert.reached_by);
  record["threshold"] = threshold_record(alert.threshold);
  record["forecast"] = forecast_behind(alert);
  if (!alert.events.empty()) record["events"] = event_records(alert.events);
  return record;
}

}  // namespace

std::string_view to_string(AlertEvent event) {
  switch (event) {
    case AlertEvent::Raised: return "raised";
    case AlertEvent::Repeated: return "repeated";
    case AlertEvent::Cleared: return "cleared";
  }
  return "unknown";
}

std::string MemoryAlert::text() const {
  return format_text("[GPU {}] {}: {} ({})", gpu, upper_case(to_string(level)), message, comparison(*this));
}

std::string alert_message(AlertEvent event, Level level, Level current, int gpu) {
  const auto subject = format_text("Memory usage on GPU {}", gpu);
  if (event != AlertEvent::Cleared) return format_text("{} {}", subject, condition(level));
  if (current == Level::Normal) return subject + " is back under the warning level";
  return format_text("{} fell from {} to {}", subject, to_string(level), to_string(current));
}

std::string forecast_message(int gpu) { return format_text("GPU {} is forecast to run out of memory", gpu); }

std::vector<std::string> alert_recommendations(Level level) {
  switch (level) {
    case Level::Normal: return {};
    case Level::Warning: return {"Consider reducing batch size", "Monitor for further increases"};
    case Level::Critical:
      return {"Reduce batch size", "Clear caches if possible", "Consider terminating non-essential processes"};
    case Level::Emergency:
      return {"Immediately reduce workload", "Terminate non-essential processes", "Clear all caches"};
  }
  return {};
}

std::string to_json(const MemoryAlert& alert) { return dump(alert_record(alert)); }

}  // namespace dualgpuopt::memory
