#include "dualgpuopt/memory/core/units.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "core/format.h"

namespace dualgpuopt::memory {
namespace {

struct Unit {
  std::string_view name;  // lower case
  double factor;
};

constexpr double kSecond = 1e9;  // durations are counted in nanoseconds
constexpr std::array kByteUnits{
    Unit{"", 1},         Unit{"b", 1},      Unit{"k", 0x1p10},   Unit{"kib", 0x1p10}, Unit{"m", 0x1p20},
    Unit{"mib", 0x1p20}, Unit{"g", 0x1p30}, Unit{"gib", 0x1p30}, Unit{"t", 0x1p40},   Unit{"tib", 0x1p40},
    Unit{"kb", 1e3},     Unit{"mb", 1e6},   Unit{"gb", 1e9},     Unit{"tb", 1e12},
};
constexpr std::array kPercentUnits{Unit{"", 1}, Unit{"%", 1}};
constexpr std::array kDurationUnits{
    Unit{"", kSecond},
    Unit{"s", kSecond},
    Unit{"ms", 1e6},
    Unit{"us", 1e3},
    Unit{"ns", 1},
    Unit{"min", 60 * kSecond},
    Unit{"m", 60 * kSecond},
    Unit{"h", 3600 * kSecond},
    Unit{"d", 86400 * kSecond},
};

/// What a kind of quantity is called, which units it takes, and an example for the error message.
struct Grammar {
  std::string_view what;
  const Unit* units;
  std::size_t unit_count;
  std::string_view expected;
};

constexpr Grammar kBytesGrammar{"a size", kByteUnits.data(), kByteUnits.size(),
                                "a number with B, KiB, MiB, GiB or TiB, as in 8GiB"};
constexpr Grammar kPercentGrammar{"a percentage", kPercentUnits.data(), kPercentUnits.size(),
                                  "a number from 0 to 100, as in 80%"};
constexpr Grammar kDurationGrammar{"a duration", kDurationUnits.data(), kDurationUnits.size(),
                                   "a number with ms, s, min, h or d, as in 1.5s"};

tl::unexpected<Error> refuse(const Grammar& grammar, std::string_view text, std::size_t at, std::string_view why) {
  return fail(ErrorCode::ParseFailed, format_text("cannot read {} as {}: {} at character {}; expected {}",
                                                  in_quotes(text), grammar.what, why, at + 1, grammar.expected));
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return (c >= 'A' && c <= 'Z') ? static_cast<char>(c - 'A' + 'a') : c; });
  return lower;
}

/// Reads "<number><blanks><unit>" and gives the number times the unit's factor; finite and not negative.
Result<double> parse_quantity(const Grammar& grammar, std::string_view text) {
  const auto start = std::min(text.find_first_not_of(" \t"), text.size());
  const auto end = text.find_last_not_of(" \t") + 1;
  if (start >= end) return refuse(grammar, text, 0, "nothing is there");
  double number = 0;
  const char* first = text.data() + start;
  const auto [stop, problem] = std::from_chars(first, text.data() + end, number);
  if (problem == std::errc::result_out_of_range) return refuse(grammar, text, start, "the number is too large");
  if (problem != std::errc{} || !std::isfinite(number)) return refuse(grammar, text, start, "no number");
  if (std::signbit(number) && number != 0) return refuse(grammar, text, start, "the number is negative");

  const auto number_end = static_cast<std::size_t>(stop - text.data());
  const auto unit_start = std::min(text.find_first_not_of(" \t", number_end), end);
  const auto name = lower_case(text.substr(unit_start, end - unit_start));
  const auto* units_end = grammar.units + grammar.unit_count;
  const auto* unit = std::find_if(grammar.units, units_end, [&](const Unit& u) { return u.name == name; });
  if (unit == units_end) {
    return refuse(grammar, text, unit_start,
                  format_text("unknown unit {}", in_quotes(text.substr(unit_start, end - unit_start))));
  }
  return number * unit->factor;
}

/// The largest unit of `KiB…TiB` that is not larger than the amount, or B.
ByteUnit fitting_unit(Bytes bytes) {
  if (bytes >= 1_GiB) return ByteUnit::GiB;
  if (bytes >= 1_MiB) return ByteUnit::MiB;
  if (bytes >= 1_KiB) return ByteUnit::KiB;
  return ByteUnit::B;
}

}  // namespace

SignedBytes difference(Bytes minuend, Bytes subtrahend) {
  constexpr auto limit = static_cast<Bytes>(std::numeric_limits<SignedBytes>::max());
  if (minuend >= subtrahend) return static_cast<SignedBytes>(std::min(minuend - subtrahend, limit));
  return -static_cast<SignedBytes>(std::min(subtrahend - minuend, limit));
}

Result<Bytes> parse_bytes(std::string_view text) {
  const auto value = parse_quantity(kBytesGrammar, text);
  if (!value) return fail(value.error());
  if (*value >= 0x1p63) return refuse(kBytesGrammar, text, 0, "more than 8 EiB");
  return static_cast<Bytes>(std::llround(*value));
}

Result<double> parse_percent(std::string_view text) {
  auto value = parse_quantity(kPercentGrammar, text);
  if (value && *value > 100) return refuse(kPercentGrammar, text, 0, "more than 100");
  return value;
}

Result<Duration> parse_duration(std::string_view text) {
  const auto value = parse_quantity(kDurationGrammar, text);
  if (!value) return fail(value.error());
  constexpr double century = 100.0 * 366 * 86400 * kSecond;
  if (*value > century) return refuse(kDurationGrammar, text, 0, "more than a hundred years");
  return Duration(std::llround(*value));
}

Result<ByteUnit> parse_byte_unit(std::string_view text) {
  const auto name = lower_case(text);
  if (name == "auto") return ByteUnit::Auto;
  if (name == "b") return ByteUnit::B;
  if (name == "kib") return ByteUnit::KiB;
  if (name == "mib") return ByteUnit::MiB;
  if (name == "gib") return ByteUnit::GiB;
  return fail(ErrorCode::ParseFailed,
              format_text("cannot read {} as a unit: expected auto, B, KiB, MiB or GiB", in_quotes(text)));
}

std::string format_bytes(Bytes bytes, ByteUnit unit) {
  const auto chosen = unit == ByteUnit::Auto ? fitting_unit(bytes) : unit;
  const auto amount = static_cast<double>(bytes);
  switch (chosen) {
    case ByteUnit::GiB: return format_text("{:.1f} GiB", amount / 0x1p30);
    case ByteUnit::MiB: return format_text("{:.0f} MiB", amount / 0x1p20);
    case ByteUnit::KiB: return format_text("{:.0f} KiB", amount / 0x1p10);
    default: return format_text("{} B", bytes);
  }
}

std::string format_signed_bytes(SignedBytes bytes, ByteUnit unit) {
  const auto magnitude = bytes < 0 ? Bytes{0} - static_cast<Bytes>(bytes) : static_cast<Bytes>(bytes);
  const auto* sign = bytes < 0 ? "-" : bytes > 0 ? "+" : "";
  return sign + format_bytes(magnitude, unit);
}

std::string format_rate(double bytes_per_second) {
  constexpr double largest = 0x1p62;
  return format_signed_bytes(std::llround(std::clamp(bytes_per_second, -largest, largest))) + "/s";
}

std::string format_duration(Duration duration) {
  using namespace std::chrono;
  if (duration < seconds(1)) return format_text("{} ms", round<milliseconds>(duration).count());
  const auto total = round<seconds>(duration).count();
  if (total < 60) return format_text("{} s", total);
  if (total < 3600) return format_text("{} min {:02} s", total / 60, total % 60);
  if (total < 86400) return format_text("{} h {:02} min", total / 3600, total % 3600 / 60);
  return format_text("{} d {} h", total / 86400, total % 86400 / 3600);
}

std::string format_percent(double percent) { return format_text("{:.1f}%", percent); }

}  // namespace dualgpuopt::memory
