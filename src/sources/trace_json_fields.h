// Reading the fields of a recorded JSON object: what is there must be right, what is null or missing is empty.
#pragma once

#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "metrics/parse_enum.h"
#include "sources/trace_lines.h"

namespace dualgpuopt::memory {

/// Reads field after field and keeps the first error, so that the caller looks once, at the end. Both arguments of the
/// constructor outlive it.
class TraceJsonFields {
 public:
  TraceJsonFields(const nlohmann::json& object, const TraceLine& line) : object_(object), line_(line) {}

  [[nodiscard]] std::optional<Bytes> whole_number(std::string_view key);
  [[nodiscard]] std::optional<std::string> text(std::string_view key);
  /// Within kLongestSeconds of 0.
  [[nodiscard]] std::optional<Duration> seconds(std::string_view key);
  [[nodiscard]] std::optional<WallTime> wall_time(std::string_view key);
  /// Must be there; 0 when it is not, with an error.
  [[nodiscard]] int gpu();
  /// The one of `values` that the text names.
  template <typename Enum, std::size_t kCount>
  [[nodiscard]] std::optional<Enum> name(std::string_view key, std::string_view what,
                                         const std::array<Enum, kCount>& values) {
    const auto written = text(key);
    if (!written) return std::nullopt;
    const auto value = parse_enum(*written, what, values);
    if (value) return *value;
    note(value.error().message());
    return std::nullopt;
  }

  /// Notes that a field is not what is expected, unless there is an error already.
  void reject(std::string_view text, std::string_view key, std::string_view expected);
  /// Notes that a field must be there, if it is not.
  template <typename Value>
  void require(const std::optional<Value>& value, std::string_view key) {
    if (!value) note(std::string(key) + " is missing");
  }
  [[nodiscard]] const std::optional<Error>& problem() const { return problem_; }

 private:
  /// Null when the field is null or missing.
  [[nodiscard]] const nlohmann::json* find(std::string_view key) const;
  void note(std::string_view problem);

  const nlohmann::json& object_;
  const TraceLine& line_;
  std::optional<Error> problem_;
};

}  // namespace dualgpuopt::memory
