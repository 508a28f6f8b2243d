#include "cli/device_table.h"

#include <algorithm>

#include "cli/describe.h"
#include "core/format.h"

namespace dualgpuopt::memory::cli {
namespace {

constexpr std::string_view kGap = "  ";

/// Columns of the table in characters; name and bar share what is left.
struct Layout {
  std::size_t gpu = 3;
  std::size_t name = 12;
  std::size_t bar = 8;
  std::size_t use = 16;
  std::size_t percent = 6;
  std::size_t level = 9;
  std::size_t trend = 10;
  std::size_t oom = 14;
};

std::string oom_text(const DeviceSnapshot& device) {
  if (device.status == DeviceStatus::Stale) return "stale: " + device.reason;
  return describe_time_to_oom(device.forecast);
}

std::string trend_text(const DeviceSnapshot& device) {
  return device.status == DeviceStatus::Stale ? "" : describe_trend(device.forecast);
}

Layout layout_for(const Snapshot& snapshot, const TableStyle& style) {
  Layout layout;
  std::size_t longest_name = 4;
  std::size_t longest_oom = layout.oom;
  for (const auto& device : snapshot.devices) {
    longest_name = std::max(longest_name, display_width(device.device->name));
    longest_oom = std::max(longest_oom, display_width(oom_text(device)));
    layout.trend = std::max(layout.trend, display_width(trend_text(device)));
    if (device.reading.ok()) {
      layout.use = std::max(layout.use, display_width(describe_use(*device.reading.memory, style.unit)));
    }
  }
  const auto fixed = layout.gpu + layout.name + layout.bar + layout.use + layout.percent + layout.level + layout.trend +
                     layout.oom + 7 * kGap.size();
  auto spare = style.width > fixed ? style.width - fixed : 0;
  const auto give = [&spare](std::size_t& column, std::size_t wanted) {
    const auto more = std::min(spare, wanted > column ? wanted - column : 0);
    column += more;
    spare -= more;
  };
  give(layout.oom, longest_oom);
  give(layout.name, longest_name);
  give(layout.bar, 40);
  return layout;
}

std::string heading(const Layout& layout, const TableStyle& style) {
  return bold(
      format_text("{}{}{}{}{}{}{}{}{}{}{}{}{}", fit("GPU", layout.gpu), kGap, fit("NAME", layout.name), kGap,
                  fit("MEMORY", layout.bar + kGap.size() + layout.use), kGap, fit_right("USED", layout.percent), kGap,
                  fit("LEVEL", layout.level), kGap, fit("TREND", layout.trend), kGap, fit("OUT OF MEMORY", layout.oom)),
      style.colors);
}

std::string unavailable_row(const DeviceSnapshot& device, const Layout& layout, const TableStyle& style) {
  const auto rest =
      layout.bar + layout.use + layout.percent + layout.level + layout.trend + layout.oom + 5 * kGap.size();
  return format_text("{}{}{}{}{}", fit(std::to_string(device.device->gpu), layout.gpu), kGap,
                     fit(device.device->name, layout.name), kGap,
                     faint(fit("unavailable: " + device.reason, rest), style.colors));
}

std::string row(const DeviceSnapshot& device, const Layout& layout, const TableStyle& style) {
  if (!device.reading.ok()) return unavailable_row(device, layout, style);
  const auto percent = device.reading.memory->occupied_percent();
  const auto shown_bar = percent ? bar(*percent / 100, layout.bar) : fit("", layout.bar);
  return format_text("{}{}{}{}{}{}{}{}{}{}{}{}{}{}{}", fit(std::to_string(device.device->gpu), layout.gpu), kGap,
                     fit(device.device->name, layout.name), kGap, paint(shown_bar, device.level, style.colors), kGap,
                     fit_right(describe_use(*device.reading.memory, style.unit), layout.use), kGap,
                     fit_right(percent ? format_percent(*percent) : "", layout.percent), kGap,
                     paint(fit(describe_level(device), layout.level), device.level, style.colors), kGap,
                     fit(trend_text(device), layout.trend), kGap, fit(oom_text(device), layout.oom));
}

std::string cause_line(const std::string& why, const TableStyle& style) {
  return faint(fit(format_text("{}  {}", fit("", Layout().gpu), why), style.width), style.colors);
}

std::string process_line(const ProcessMemory& process, const TableStyle& style) {
  return format_text("     {}{}{}{}{}", fit_right(std::to_string(process.pid), 8), kGap,
                     fit_right(process.used ? format_bytes(*process.used, style.unit) : "not told", 10), kGap,
                     describe_process(process));
}

}  // namespace

std::vector<std::string> device_table(const Snapshot& snapshot, const TableStyle& style) {
  const auto layout = layout_for(snapshot, style);
  std::vector<std::string> lines{heading(layout, style)};
  for (const auto& device : snapshot.devices) {
    lines.push_back(row(device, layout, style));
    if (device.status != DeviceStatus::Ok) continue;
    if (const auto why = describe_cause(device.forecast); !why.empty()) lines.push_back(cause_line(why, style));
    for (const auto& leak : device.leaks) lines.push_back(cause_line(leak.text(), style));
    for (const auto& threshold : device.thresholds) lines.push_back(cause_line(threshold.text(), style));
    if (device.accuracy.due > 0) lines.push_back(cause_line(device.accuracy.text(), style));
  }
  return lines;
}

std::vector<std::string> process_lines(const DeviceSnapshot& device, const TableStyle& style, std::size_t most) {
  if (!device.processes) return {};
  if (!device.processes->reason.empty()) return {"     processes not known: " + device.processes->reason};
  auto entries = device.processes->entries;
  std::stable_sort(entries.begin(), entries.end(),
                   [](const auto& a, const auto& b) { return a.used.value_or(0) > b.used.value_or(0); });
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < std::min(most, entries.size()); ++i) lines.push_back(process_line(entries[i], style));
  if (!device.processes->used_reason.empty()) lines.push_back("     not told: " + device.processes->used_reason);
  if (entries.size() > most) lines.push_back(format_text("     and {} more", entries.size() - most));
  return lines;
}

}  // namespace dualgpuopt::memory::cli
