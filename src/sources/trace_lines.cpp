#include "sources/trace_lines.h"

#include <charconv>
#include <limits>

#include "core/format.h"

namespace dualgpuopt::memory {
namespace {

constexpr std::string_view kBlanks = " \t\r";

/// A number that fills the text and is at most `largest`.
template <typename Number>
std::optional<Number> parse_number(std::string_view text, Number largest) {
  Number number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, number);
  if (problem != std::errc{} || stop != end || number > largest) return std::nullopt;
  return number;
}

}  // namespace

std::optional<TraceLine> TraceLines::next() {
  while (!rest_.empty()) {
    const auto line_feed = rest_.find('\n');
    const bool complete = line_feed != std::string_view::npos;
    const auto text = trimmed(rest_.substr(0, line_feed));
    rest_.remove_prefix(complete ? line_feed + 1 : rest_.size());
    ++number_;
    if (!text.empty()) return TraceLine{number_, text, complete};
  }
  return std::nullopt;
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) + 1 - first);
}

void split_fields(std::string_view row, std::vector<std::string_view>& fields) {
  fields.clear();
  std::size_t start = 0;
  while (true) {
    const auto comma = row.find(',', start);
    fields.push_back(trimmed(row.substr(start, comma - start)));
    if (comma == std::string_view::npos) return;
    start = comma + 1;
  }
}

std::optional<Bytes> parse_whole_number(std::string_view text) {
  return parse_number<Bytes>(text, std::numeric_limits<SignedBytes>::max());
}

std::optional<int> parse_gpu_index(std::string_view text) {
  const auto index = parse_number<unsigned>(text, kGpuLimit - 1);
  return index ? std::optional(static_cast<int>(*index)) : std::nullopt;
}

tl::unexpected<Error> refuse(const TraceLine& line, std::string_view text, std::string_view what,
                             std::string_view expected) {
  return fail(ErrorCode::ParseFailed,
              format_text("line {}: cannot read {} as {}: expected {}", line.number, in_quotes(text), what, expected));
}

}  // namespace dualgpuopt::memory
