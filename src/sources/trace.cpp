#include "dualgpuopt/memory/sources/trace.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "core/format.h"
#include "sources/text_file.h"
#include "sources/trace_csv.h"
#include "sources/trace_json.h"
#include "sources/trace_lines.h"
#include "sources/trace_nvidia_smi.h"

namespace dualgpuopt::memory {
namespace {

constexpr std::string_view kUtf8Mark = "\xEF\xBB\xBF";
constexpr std::array<std::string_view, 2> kUtf16Marks{"\xFF\xFE", "\xFE\xFF"};
constexpr std::size_t kLargestFile = std::size_t{1} << 30;  // ends the reading of a device or pipe without end
constexpr std::string_view kExpectedForms =
    "t_s,gpu,used_bytes,total_bytes, the CSV of nvidia-smi, or JSON Lines of gpumem record";

std::string_view without_mark(std::string_view text) {
  return text.starts_with(kUtf8Mark) ? text.substr(kUtf8Mark.size()) : text;
}

bool is_utf16(std::string_view text) {
  return std::any_of(kUtf16Marks.begin(), kUtf16Marks.end(), [&](auto mark) { return text.starts_with(mark); });
}

std::shared_ptr<const ProcessList> shifted(const ProcessList& list, Duration by) {
  auto copy = std::make_shared<ProcessList>(list);
  copy->time.mono -= by;
  return copy;
}

}  // namespace

std::vector<MonoTime> Trace::times() const {
  std::vector<MonoTime> times;
  for (const auto& reading : readings) {
    if (times.empty() || times.back() != reading.time.mono) times.push_back(reading.time.mono);
  }
  return times;
}

Duration Trace::median_interval() const {
  std::unordered_map<int, MonoTime> newest;
  std::vector<Duration> intervals;
  for (const auto& reading : readings) {
    const auto [last, is_first] = newest.try_emplace(reading.gpu, reading.time.mono);
    if (!is_first && reading.time.mono > last->second) intervals.push_back(reading.time.mono - last->second);
    last->second = reading.time.mono;
  }
  if (intervals.empty()) return Duration::zero();
  const auto middle = intervals.begin() + static_cast<std::ptrdiff_t>(intervals.size() / 2);
  std::nth_element(intervals.begin(), middle, intervals.end());
  return *middle;
}

void Trace::count_from_first_row() {
  if (readings.empty()) return;
  const auto origin = readings.front().time.mono.time_since_epoch();
  if (origin == Duration::zero()) return;
  for (auto& reading : readings) {
    reading.time.mono -= origin;
    if (reading.processes) reading.processes = shifted(*reading.processes, origin);
    for (auto& event : reading.events) event.time.mono -= origin;
  }
}

Result<Trace> parse_trace(std::string_view text) {
  if (is_utf16(text)) {
    return fail(ErrorCode::ParseFailed,
                "the recording is UTF-16 text: convert it first, as in iconv -f UTF-16 -t UTF-8 IN > OUT");
  }
  text = without_mark(text);
  const auto first = TraceLines(text).next();
  if (!first) {
    return fail(ErrorCode::ParseFailed, format_text("the recording is empty: expected {}", kExpectedForms));
  }
  if (first->text.starts_with('{')) return parse_trace_json(text);
  if (is_trace_csv_header(first->text)) return parse_trace_csv(text);
  if (is_nvidia_smi_line(first->text)) return parse_trace_nvidia_smi(text);
  return refuse(*first, first->text, "the beginning of a recording", kExpectedForms);
}

Result<Trace> load_trace(const std::filesystem::path& file) {
  const auto in_file = [&](Error error) {
    return fail(std::move(error).with_context(format_text("trace {}", file.string())));
  };
  auto text = read_text_file(file, kLargestFile);
  if (!text) return in_file(std::move(text.error()));
  auto trace = parse_trace(*text);
  if (!trace) return in_file(std::move(trace.error()));
  return trace;
}

}  // namespace dualgpuopt::memory
