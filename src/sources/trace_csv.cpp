#include "sources/trace_csv.h"

#include <charconv>
#include <cmath>

#include "sources/trace_builder.h"

namespace dualgpuopt::memory {
namespace {

constexpr std::size_t kFields = 4;
constexpr std::string_view kExpectedBytes = "a whole number of bytes from 0 to 2^63 - 1";

std::optional<MonoTime> parse_seconds(std::string_view text) {
  double seconds = 0;
  const char* end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, seconds);
  if (problem != std::errc{} || stop != end || !(seconds >= 0 && seconds <= kLongestSeconds)) return std::nullopt;
  return MonoTime(Duration(std::llround(seconds * 1e9)));
}

Result<Reading> read_row(const TraceLine& line, const std::vector<std::string_view>& fields) {
  if (fields.size() != kFields) return refuse(line, line.text, "a row", kTraceCsvHeader);
  const auto time = parse_seconds(fields[0]);
  if (!time) return refuse(line, fields[0], "t_s", "seconds from the first row, not negative, as in 12.500");
  const auto gpu = parse_gpu_index(fields[1]);
  if (!gpu) return refuse(line, fields[1], "gpu", kExpectedGpu);
  const auto used = parse_whole_number(fields[2]);
  if (!used) return refuse(line, fields[2], "used_bytes", kExpectedBytes);
  const auto total = parse_whole_number(fields[3]);
  if (!total && !fields[3].empty()) return refuse(line, fields[3], "total_bytes", kExpectedBytes);

  Reading reading;
  reading.gpu = *gpu;
  reading.time.mono = *time;
  reading.memory = MemoryUse::from_used_and_total(*used, total);
  return reading;
}

}  // namespace

bool is_trace_csv_header(std::string_view line) {
  std::vector<std::string_view> expected;
  std::vector<std::string_view> fields;
  split_fields(kTraceCsvHeader, expected);
  split_fields(line, fields);
  return fields == expected;
}

Result<Trace> parse_trace_csv(std::string_view text) {
  return build_trace(
      text, TimeOrigin::AsWritten,
      [fields = std::vector<std::string_view>()](const TraceLine& line, TraceBuilder& builder) mutable -> Result<void> {
        split_fields(line.text, fields);
        if (fields.front() == "t_s" && is_trace_csv_header(line.text)) return {};
        auto reading = read_row(line, fields);
        if (!reading) return fail(std::move(reading.error()));
        return builder.add(std::move(*reading), line);
      });
}

}  // namespace dualgpuopt::memory
