#include "cli/describe.h"

#include <fmt/chrono.h>

#include <cmath>

#include "cli/style.h"
#include "core/format.h"

namespace dualgpuopt::memory::cli {
namespace {

/// Growth under a MiB a minute is called steady.
constexpr double kSteadyBytesPerSecond = 0x1p20 / 60;

std::string describe_seconds(Seconds seconds) { return format_duration(std::chrono::duration_cast<Duration>(seconds)); }

ByteUnit unit_for(const MemoryUse& memory, ByteUnit unit) {
  if (unit != ByteUnit::Auto) return unit;
  return memory.total.value_or(memory.used) >= 1_GiB ? ByteUnit::GiB : ByteUnit::MiB;
}

/// The amount without its unit: "18.2" of "18.2 GiB".
std::string bare_amount(Bytes bytes, ByteUnit unit) {
  const auto text = format_bytes(bytes, unit);
  return text.substr(0, text.find(' '));
}

std::string with_label(const std::string& line, Provenance provenance) {
  const auto label = provenance_label(provenance);
  return label.empty() ? line : line + "  " + label;
}

}  // namespace

std::string provenance_label(Provenance provenance) {
  switch (provenance) {
    case Provenance::Driver: return "";
    case Provenance::Simulated: return "SIMULATED";
    case Provenance::Replayed: return "REPLAYED";
  }
  return "";
}

std::string describe_use(const MemoryUse& memory, ByteUnit unit) {
  const auto chosen = unit_for(memory, unit);
  const auto* mark = memory.used_meaning == UsedMeaning::Estimate ? "~" : "";
  if (!memory.total) return mark + format_bytes(memory.occupied(), chosen);
  return format_text("{}{} / {}", mark, bare_amount(memory.occupied(), chosen), format_bytes(*memory.total, chosen));
}

std::string_view describe_level(const DeviceSnapshot& device) {
  return device.device->kind == DeviceKind::Partitioned ? "shared" : to_string(device.level);
}

std::string describe_events(const std::vector<DeviceEvent>& events) {
  std::string text;
  for (const auto& event : events) text += (text.empty() ? "" : ", ") + event.text();
  return text;
}

std::string describe_process(const ProcessMemory& process) {
  switch (process.presence) {
    case ProcessPresence::Alive: return printable(process.name);
    case ProcessPresence::Zombie:
      return printable(process.name) + " (a zombie: it has ended, its parent has not looked)";
    case ProcessPresence::Gone: return "(ended; the driver still lists it)";
    case ProcessPresence::Unseen: break;
  }
  return process.name.empty() ? "(not visible from here)" : printable(process.name);
}

std::string describe_trend(const std::optional<Forecast>& forecast) {
  if (!forecast) return "";
  if (std::abs(forecast->slope_bytes_per_second) < kSteadyBytesPerSecond) return "steady";
  return format_rate(forecast->slope_bytes_per_second);
}

std::string describe_time_to_oom(const std::optional<Forecast>& forecast) {
  if (!forecast || !forecast->risk) return "";
  if (!forecast->time_to_oom) return "none foreseen";
  if (forecast->time_to_oom->count() <= 0) return "now";
  const auto low = forecast->time_to_oom_low ? describe_seconds(*forecast->time_to_oom_low) : "0 s";
  const auto high = forecast->time_to_oom_high ? "to " + describe_seconds(*forecast->time_to_oom_high) : "or later";
  return format_text("in {} ({} {})", describe_seconds(*forecast->time_to_oom), low, high);
}

std::string describe_cause(const std::optional<Forecast>& forecast) {
  const bool is_foreseen = forecast && forecast->time_to_oom && forecast->time_to_oom->count() > 0;
  return is_foreseen ? explain(*forecast) : "";
}

std::string describe_time(const TimeStamp& time) {
  if (!time.wall) return format_text("t={:.3f}", seconds_since_origin(time.mono));
  return format_text("{:%H:%M:%S}", fmt::localtime(std::chrono::system_clock::to_time_t(*time.wall)));
}

std::string describe_device(const DeviceSnapshot& device, ByteUnit unit) {
  auto line = format_text("{}  GPU {}  ", describe_time(device.reading.time), device.device->gpu);
  const auto errors = describe_events(device.reading.events);
  const auto tail = errors.empty() ? "" : "  the driver reports: " + errors;
  if (!device.reading.ok()) return with_label(line + "unavailable: " + device.reason + tail, device.reading.provenance);
  const auto& memory = *device.reading.memory;
  line += describe_use(memory, unit);
  if (const auto percent = memory.occupied_percent()) line += format_text(" ({})", format_percent(*percent));
  line += format_text("  {}", describe_level(device));
  if (device.status == DeviceStatus::Stale)
    return with_label(line + "  stale: " + device.reason, device.reading.provenance);
  if (const auto trend = describe_trend(device.forecast); !trend.empty()) line += "  " + trend;
  if (const auto oom = describe_time_to_oom(device.forecast); !oom.empty()) line += "  out of memory: " + oom;
  if (const auto why = describe_cause(device.forecast); !why.empty()) line += ": " + why;
  for (const auto& leak : device.leaks) line += "  " + leak.text();
  for (const auto& threshold : device.thresholds) line += "  " + threshold.text();
  return with_label(line + tail, device.reading.provenance);
}

std::string describe_alert(const MemoryAlert& alert) {
  const auto errors = describe_events(alert.events);
  return with_label(format_text("{}  {}  {}{}{}", describe_time(alert.time), to_string(alert.event), alert.text(),
                                errors.empty() ? "" : "  after ", errors),
                    alert.provenance);
}

std::string describe_decision(const Decision& decision) {
  const bool is_foreseen = decision.cause == ClimbCause::Forecast;
  const auto cause = is_foreseen ? format_text("out of memory {}: ", describe_time_to_oom(decision.forecast)) : "";
  return with_label(format_text("{}  decision {}  [GPU {}] {}{}", describe_time(decision.started), decision.id,
                                decision.gpu, cause, decision.reason),
                    decision.provenance);
}

}  // namespace dualgpuopt::memory::cli
