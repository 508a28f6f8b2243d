#include "sources/trace_builder.h"

#include <algorithm>
#include <memory>

#include "core/format.h"

namespace dualgpuopt::memory {
namespace {

bool earlier(const Reading& a, const Reading& b) { return a.time.mono < b.time.mono; }

std::string shown(const TimeStamp& time) {
  return time.wall ? format_wall_time(*time.wall) : format_text("{:.3f} s", seconds_since_origin(time.mono));
}

/// The list as seen from an origin that lies `by` later.
void put_in_order(std::vector<Reading>& readings) {
  if (!std::is_sorted(readings.begin(), readings.end(), earlier)) {
    std::stable_sort(readings.begin(), readings.end(), earlier);
  }
}

Device nameless_device(int gpu) {
  Device device;
  device.gpu = gpu;
  device.key = format_text("trace-{}", gpu);
  return device;
}

}  // namespace

TraceBuilder::Track& TraceBuilder::track(int gpu) {
  const auto index = static_cast<std::size_t>(gpu);
  if (index >= tracks_.size()) tracks_.resize(index + 1);
  return tracks_[index];
}

Result<void> TraceBuilder::check(const Reading& reading, const TraceLine& line) {
  const auto& known = track(reading.gpu);
  const auto total = reading.memory ? reading.memory->total : std::nullopt;
  if (total == Bytes{0}) {
    return fail(ErrorCode::ParseFailed,
                format_text("line {}: the total of GPU {} is 0: expected its capacity, or nothing where it is unknown",
                            line.number, reading.gpu));
  }
  if (!line.complete && total && known.total && total != known.total) {
    return fail(ErrorCode::ParseFailed, format_text("line {}: the line ends within the total", line.number));
  }
  if (known.newest && reading.time.mono < known.newest->mono) {
    return fail(ErrorCode::ParseFailed,
                format_text("line {}: time goes back on GPU {}, from {} to {}: expected rows in the order of time",
                            line.number, reading.gpu, shown(*known.newest), shown(reading.time)));
  }
  return {};
}

Result<void> TraceBuilder::add(Reading reading, const TraceLine& line) {
  if (auto checked = check(reading, line); !checked) return checked;
  auto& known = track(reading.gpu);
  known.newest = reading.time;
  if (reading.memory && reading.memory->total) {
    known.total = reading.memory->total;
    if (reading.memory->used > *known.total) tolerate("used is above total and is kept", line);
  }
  reading.provenance = Provenance::Replayed;
  readings_.push_back(std::move(reading));
  return {};
}

void TraceBuilder::describe(Device device, const TraceLine& line) {
  auto& known = track(device.gpu).device;
  if (known && *known != device) tolerate("a GPU is described again, differently; the first is kept", line);
  if (!known) known = std::move(device);
}

void TraceBuilder::tolerate(std::string_view kind, const TraceLine& line) {
  const auto same = std::find_if(tolerated_.begin(), tolerated_.end(), [&](const auto& t) { return t.kind == kind; });
  if (same != tolerated_.end()) {
    ++same->lines;
  } else {
    tolerated_.push_back({std::string(kind), line.number, 1});
  }
}

void TraceBuilder::drop_cut_line(const TraceLine& line, const Error& error) {
  cut_line_ = format_text("line {} is cut off and is left out ({})", line.number, error.message());
}

std::vector<std::string> TraceBuilder::warnings() const {
  std::vector<std::string> warnings;
  warnings.reserve(tolerated_.size() + 1);
  for (const auto& [kind, first_line, lines] : tolerated_) {
    warnings.push_back(lines == 1 ? format_text("line {}: {}", first_line, kind)
                                  : format_text("line {} and {} more: {}", first_line, lines - 1, kind));
  }
  if (!cut_line_.empty()) warnings.push_back(cut_line_);
  return warnings;
}

Result<Trace> TraceBuilder::finish(TimeOrigin origin) && {
  if (readings_.empty()) {
    return fail(ErrorCode::ParseFailed, cut_line_.empty() ? "the recording has no readings: expected at least one row"
                                                          : "the recording has no readings: " + cut_line_);
  }
  put_in_order(readings_);
  Trace trace;
  for (std::size_t gpu = 0; gpu < tracks_.size(); ++gpu) {
    if (tracks_[gpu].device) {
      trace.devices.push_back(std::move(*tracks_[gpu].device));
    } else if (tracks_[gpu].newest) {
      trace.devices.push_back(nameless_device(static_cast<int>(gpu)));
    }
  }
  trace.readings = std::move(readings_);
  trace.warnings = warnings();
  if (origin == TimeOrigin::FirstRow) trace.count_from_first_row();
  return trace;
}

Result<Trace> build_trace(std::string_view text, TimeOrigin origin, const LineReader& read_line) {
  TraceBuilder builder;
  TraceLines lines(text);
  while (const auto line = lines.next()) {
    const auto taken = read_line(*line, builder);
    if (taken) continue;
    if (line->complete) return fail(taken.error());
    builder.drop_cut_line(*line, taken.error());
  }
  return std::move(builder).finish(origin);
}

}  // namespace dualgpuopt::memory
