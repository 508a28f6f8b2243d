// Any bytes as an amount, a percentage, a duration, a unit or a level: an error, or a value within its bounds.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "dualgpuopt/memory/core/units.h"
#include "dualgpuopt/memory/metrics/level.h"

namespace {

using namespace dualgpuopt::memory;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

template <typename Value>
void check_error(const Result<Value>& result) {
  if (result) return;
  require(result.error().code() == ErrorCode::ParseFailed, "the error is of parsing");
  require(!result.error().message().empty() && result.error().message().size() < 400, "the error is a short sentence");
}

void check_bytes(std::string_view text) {
  const auto bytes = parse_bytes(text);
  check_error(bytes);
  if (!bytes) return;
  require(*bytes < Bytes{1} << 63, "an amount is below 2^63");
  for (const auto unit : {ByteUnit::Auto, ByteUnit::B, ByteUnit::KiB, ByteUnit::MiB, ByteUnit::GiB}) {
    require(parse_bytes(format_bytes(*bytes, unit)).has_value() || *bytes > Bytes{1} << 62, "what is printed is read");
  }
}

void check_percent(std::string_view text) {
  const auto percent = parse_percent(text);
  check_error(percent);
  if (!percent) return;
  require(*percent >= 0 && *percent <= 100, "a percentage is from 0 to 100");
  require(parse_percent(format_percent(*percent)).has_value(), "what is printed is read");
}

void check_duration(std::string_view text) {
  const auto duration = parse_duration(text);
  check_error(duration);
  if (!duration) return;
  require(*duration >= Duration::zero(), "a duration is not negative");
  require(!format_duration(*duration).empty(), "a duration can be printed");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_bytes(text);
  check_percent(text);
  check_duration(text);
  check_error(parse_byte_unit(text));
  check_error(parse_level(text));
  return 0;
}
