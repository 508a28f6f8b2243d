#include "cli/watch_view.h"

#include <algorithm>

#include "cli/describe.h"
#include "core/format.h"

namespace dualgpuopt::memory::cli {
namespace {

std::string title(const Snapshot& snapshot, const std::string& source, const TableStyle& style) {
  const auto label = provenance_label(snapshot.provenance);
  const auto count = snapshot.devices.size();
  const auto text = format_text("gpumem  {}{} GPU{} from {}  {}", label.empty() ? "" : label + "  ", count,
                                count == 1 ? "" : "s", source, describe_time(snapshot.time));
  return bold(fit(text, style.width), style.colors);
}

}  // namespace

std::vector<std::string> watch_frame(const Snapshot& snapshot, const std::string& source,
                                     const std::deque<std::string>& events, const TableStyle& style, std::size_t rows) {
  std::vector<std::string> lines{title(snapshot, source, style), ""};
  for (auto& line : device_table(snapshot, style)) lines.push_back(std::move(line));
  lines.emplace_back();
  lines.push_back(bold("EVENTS", style.colors) + faint("   Ctrl-C ends", style.colors));
  const auto room = rows > lines.size() ? rows - lines.size() : 0;
  const auto shown = std::min(room, events.size());
  for (auto event = events.end() - static_cast<std::ptrdiff_t>(shown); event != events.end(); ++event) {
    lines.push_back(fit(*event, style.width));
  }
  if (events.empty() && room > 0) lines.push_back(faint("none yet", style.colors));
  return lines;
}

}  // namespace dualgpuopt::memory::cli
