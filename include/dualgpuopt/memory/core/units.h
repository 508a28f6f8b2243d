// Bytes, percents and durations: how they are written by people and printed for them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "dualgpuopt/memory/core/clock.h"
#include "dualgpuopt/memory/core/error.h"

namespace dualgpuopt::memory {

/// An amount of memory in bytes.
using Bytes = std::uint64_t;
/// A difference of two amounts in bytes.
using SignedBytes = std::int64_t;

inline namespace literals {
constexpr Bytes operator""_B(unsigned long long value) { return value; }
constexpr Bytes operator""_KiB(unsigned long long value) { return value << 10; }
constexpr Bytes operator""_MiB(unsigned long long value) { return value << 20; }
constexpr Bytes operator""_GiB(unsigned long long value) { return value << 30; }
constexpr Bytes operator""_TiB(unsigned long long value) { return value << 40; }
}  // namespace literals

/// `minuend - subtrahend` with its sign, saturated at the limits of SignedBytes.
[[nodiscard]] SignedBytes difference(Bytes minuend, Bytes subtrahend);

/// In which unit amounts are printed; Auto picks the largest that keeps at least one whole unit.
enum class ByteUnit { Auto, B, KiB, MiB, GiB };

/// Reads "8GiB", "512 MiB", "1.5g", "4096". Units: B; KiB MiB GiB TiB and their short forms K M G T (powers of 1024);
/// kB MB GB TB (powers of 1000). Letter case does not matter; a bare number is bytes. Fractions are rounded to the
/// nearest byte. Errors (ParseFailed) name the text, the place and what was expected.
[[nodiscard]] Result<Bytes> parse_bytes(std::string_view text);

/// Reads "80%" or "80" as 80.0. From 0 to 100; errors as parse_bytes.
[[nodiscard]] Result<double> parse_percent(std::string_view text);

/// Reads "1.5s", "250ms", "2min", "1h", "7d", "10us"; a bare number is seconds. Not negative; errors as parse_bytes.
[[nodiscard]] Result<Duration> parse_duration(std::string_view text);

/// Reads "MiB", "auto", … as --unit takes them.
[[nodiscard]] Result<ByteUnit> parse_byte_unit(std::string_view text);

/// "7.4 GiB", "512 MiB", "0 B": one decimal from GiB up, none below; binary units.
[[nodiscard]] std::string format_bytes(Bytes bytes, ByteUnit unit = ByteUnit::Auto);
/// As format_bytes, with "+" or "-" in front; "0 B" has no sign.
[[nodiscard]] std::string format_signed_bytes(SignedBytes bytes, ByteUnit unit = ByteUnit::Auto);
/// "+12 MiB/s"; the rate is bytes a second.
[[nodiscard]] std::string format_rate(double bytes_per_second);
/// "250 ms", "41 s", "5 min 12 s", "3 h 05 min", "12 d 3 h".
[[nodiscard]] std::string format_duration(Duration duration);
/// "84.0%": one decimal.
[[nodiscard]] std::string format_percent(double percent);

}  // namespace dualgpuopt::memory
