#include "sources/wall_time.h"

namespace dualgpuopt::memory {
namespace {

/// Takes pieces off the front of a text; once one is missing, `ok` stays false.
class Pieces {
 public:
  explicit Pieces(std::string_view text) : rest_(text) {}

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool at_end() const { return rest_.empty(); }
  [[nodiscard]] bool next_is(char c) const { return !rest_.empty() && rest_.front() == c; }

  /// The next character, which must be one of `allowed`.
  char take(std::string_view allowed) {
    if (rest_.empty() || allowed.find(rest_.front()) == std::string_view::npos) {
      ok_ = false;
      return '\0';
    }
    const char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }

  /// A number of exactly `digits` digits, at most `largest`.
  int number(int digits, int largest) {
    int value = 0;
    for (int i = 0; i < digits; ++i) value = 10 * value + digit();
    if (value > largest) ok_ = false;
    return value;
  }

  /// One to nine digits after the point, as nanoseconds.
  Duration fraction() {
    Duration::rep value = digit();
    Duration::rep scale = 100'000'000;
    for (; scale > 1 && !rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9'; scale /= 10) {
      value = 10 * value + digit();
    }
    return Duration(value * scale);
  }

 private:
  int digit() {
    const char c = take("0123456789");
    return c == '\0' ? 0 : c - '0';
  }

  std::string_view rest_;
  bool ok_ = true;
};

std::chrono::sys_days take_date(Pieces& pieces, bool& valid) {
  const int year = pieces.number(4, 2099);
  const char separator = pieces.take("/-");
  const int month = pieces.number(2, 12);
  pieces.take(std::string_view(&separator, 1));
  const int day = pieces.number(2, 31);
  const std::chrono::year_month_day date(std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day)));
  valid = pieces.ok() && date.ok() && year >= 1970;
  return date;
}

Duration take_time_of_day(Pieces& pieces) {
  Duration time = std::chrono::hours(pieces.number(2, 23));
  pieces.take(":");
  time += std::chrono::minutes(pieces.number(2, 59));
  pieces.take(":");
  time += std::chrono::seconds(pieces.number(2, 59));
  if (pieces.next_is('.')) {
    pieces.take(".");
    time += pieces.fraction();
  }
  return time;
}

/// How far the stamp is ahead of UTC; zero when it names no zone.
Duration take_zone(Pieces& pieces) {
  if (pieces.at_end()) return Duration::zero();
  const char sign = pieces.take("Z+-");
  if (sign == 'Z') return Duration::zero();
  Duration offset = std::chrono::hours(pieces.number(2, 23));
  if (pieces.next_is(':')) pieces.take(":");
  offset += std::chrono::minutes(pieces.number(2, 59));
  return sign == '-' ? -offset : offset;
}

}  // namespace

std::optional<WallTime> parse_wall_time(std::string_view text) {
  Pieces pieces(text);
  bool valid = false;
  const auto date = take_date(pieces, valid);
  if (!valid) return std::nullopt;
  pieces.take(" T");
  const auto time = take_time_of_day(pieces);
  const auto offset = take_zone(pieces);
  if (!pieces.ok() || !pieces.at_end()) return std::nullopt;
  return WallTime(date) + time - offset;
}

}  // namespace dualgpuopt::memory
