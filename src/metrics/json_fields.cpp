#include "metrics/json_fields.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "dualgpuopt/memory/metrics/json.h"

namespace dualgpuopt::memory {
namespace {

constexpr int kSecondsDecimals = 3;
constexpr int kPercentDecimals = 2;
constexpr int kRiskDecimals = 6;

JsonRecord process_record(const ProcessMemory& process) {
  JsonRecord record;
  record["pid"] = process.pid;
  record["start_ticks"] = or_null(process.start_ticks);
  record["name"] = or_null(process.name);
  record["kind"] = to_string(process.kind);
  record["used_bytes"] = or_null(process.used);
  record["presence"] = to_string(process.presence);
  record["driver_pid"] = or_null(process.driver_pid);
  return record;
}

/// The keys are there whether or not the device could be read.
void add_memory(JsonRecord& record, const std::optional<MemoryUse>& memory) {
  const auto known = memory.value_or(MemoryUse{});
  record["total_bytes"] = or_null(known.total);
  record["used_bytes"] = memory ? JsonRecord(known.used) : JsonRecord(nullptr);
  record["free_bytes"] = or_null(known.free);
  record["reserved_bytes"] = or_null(known.reserved);
  record["used_meaning"] = memory ? JsonRecord(to_string(known.used_meaning)) : JsonRecord(nullptr);
  record["used_percent"] = rounded_or_null(known.occupied_percent(), kPercentDecimals);
}

void add_processes(JsonRecord& record, const ProcessList* processes) {
  if (processes == nullptr) {
    record["processes"] = nullptr;
    return;
  }
  auto& list = record["processes"] = JsonRecord::array();
  for (const auto& process : processes->entries) list.push_back(process_record(process));
  record["processes_t"] = rounded_seconds(seconds_since_origin(processes->time.mono));
  record["processes_reason"] = or_null(processes->reason);
  record["processes_used_reason"] = or_null(processes->used_reason);
}

}  // namespace

JsonRecord start_record(std::string_view type, const TimeStamp& time) {
  JsonRecord record;
  record["schema"] = kJsonSchema;
  record["type"] = type;
  record["t"] = rounded_seconds(seconds_since_origin(time.mono));
  record["time"] = time.wall ? JsonRecord(format_wall_time(*time.wall)) : JsonRecord(nullptr);
  return record;
}

JsonRecord or_null(const std::string& text) { return text.empty() ? JsonRecord(nullptr) : JsonRecord(text); }

double rounded(double value, int decimals) {
  constexpr double all_digits_are_whole = 0x1p52;  // doubles from here on have no fraction that could be rounded
  if (!std::isfinite(value) || std::abs(value) >= all_digits_are_whole) return value;
  const double scale = std::pow(10.0, decimals);
  return std::round(value * scale) / scale + 0.0;  // -0.0 becomes 0.0
}

JsonRecord rounded_or_null(const std::optional<double>& value, int decimals) {
  return value && std::isfinite(*value) ? JsonRecord(rounded(*value, decimals)) : JsonRecord(nullptr);
}

double rounded_seconds(double seconds) { return rounded(seconds, kSecondsDecimals); }

JsonRecord seconds_or_null(const std::optional<Seconds>& seconds) {
  return rounded_or_null(seconds ? std::optional(seconds->count()) : std::nullopt, kSecondsDecimals);
}

JsonRecord whole_bytes_or_null(double bytes) {
  if (!std::isfinite(bytes)) return nullptr;
  using Limits = std::numeric_limits<SignedBytes>;
  if (bytes >= 0x1p63) return Limits::max();
  if (bytes < -0x1p63) return Limits::min();
  return static_cast<SignedBytes>(std::round(bytes));
}

JsonRecord reading_record(const Reading& reading) {
  auto record = start_record("reading", reading.time);
  record["gpu"] = reading.gpu;
  record["provenance"] = to_string(reading.provenance);
  record["status"] = to_string(reading.ok() ? DeviceStatus::Ok : DeviceStatus::Unavailable);
  record["reason"] = or_null(reading.reason);
  add_memory(record, reading.memory);
  record["unattributed_bytes"] = or_null(reading.unattributed());
  add_processes(record, reading.processes.get());
  if (!reading.events.empty()) record["events"] = event_records(reading.events);
  return record;
}

namespace {

JsonRecord event_record(const DeviceEvent& event) {
  JsonRecord record;
  record["t"] = rounded_seconds(seconds_since_origin(event.time.mono));
  record["kind"] = to_string(event.kind);
  record["code"] = event.kind == DeviceEventKind::Xid ? JsonRecord(event.code) : JsonRecord(nullptr);
  record["text"] = event.text();
  return record;
}

}  // namespace

JsonRecord event_records(const std::vector<DeviceEvent>& events) {
  auto list = JsonRecord::array();
  for (const auto& event : events) list.push_back(event_record(event));
  return list;
}

JsonRecord forecast_record(const Forecast& forecast, int gpu, std::optional<Bytes> used, Provenance provenance) {
  auto record = start_record("forecast", forecast.time);
  record["gpu"] = gpu;
  record["provenance"] = to_string(provenance);
  record["used_bytes"] = or_null(used);
  record["time_to_oom_s"] = seconds_or_null(forecast.time_to_oom);
  record["time_to_oom_low_s"] = seconds_or_null(forecast.time_to_oom_low);
  record["time_to_oom_high_s"] = seconds_or_null(forecast.time_to_oom_high);
  record["risk"] = rounded_or_null(forecast.risk, kRiskDecimals);
  record["horizon_s"] = rounded_seconds(Seconds(forecast.horizon).count());
  record["expected_used_bytes"] = forecast.expected_used;
  record["expected_used_low_bytes"] = forecast.expected_used_low;
  record["expected_used_high_bytes"] = forecast.expected_used_high;
  record["slope_bytes_per_second"] = whole_bytes_or_null(forecast.slope_bytes_per_second);
  record["regime"] = to_string(forecast.regime);
  record["step_bytes"] = forecast.step > 0 ? JsonRecord(forecast.step) : JsonRecord(nullptr);
  record["period_s"] = seconds_or_null(forecast.period);
  record["since_oom_s"] = seconds_or_null(forecast.since_oom);
  record["explanation"] = explain(forecast);
  return record;
}

std::string dump(const JsonRecord& record) { return record.dump(-1, ' ', false, JsonRecord::error_handler_t::replace); }

}  // namespace dualgpuopt::memory
