#include "sources/trace_json_fields.h"

#include <cmath>
#include <limits>

#include "core/format.h"
#include "sources/wall_time.h"

namespace dualgpuopt::memory {
namespace {

/// A scalar as text; of an object or an array only its brackets, which may be all there is to say of a huge one.
std::string shown(const nlohmann::json& value) {
  if (value.is_array()) return "[...]";
  if (value.is_object()) return "{...}";
  return value.is_string() ? value.get<std::string>() : value.dump();
}

}  // namespace

const nlohmann::json* TraceJsonFields::find(std::string_view key) const {
  const auto found = object_.find(key);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

void TraceJsonFields::reject(std::string_view text, std::string_view key, std::string_view expected) {
  if (!problem_) problem_ = refuse(line_, text, key, expected).value();
}

void TraceJsonFields::note(std::string_view problem) {
  if (!problem_) problem_ = Error(ErrorCode::ParseFailed, format_text("line {}: {}", line_.number, problem));
}

std::optional<Bytes> TraceJsonFields::whole_number(std::string_view key) {
  const auto* value = find(key);
  if (value == nullptr) return std::nullopt;
  constexpr auto most = static_cast<Bytes>(std::numeric_limits<SignedBytes>::max());
  if (value->is_number_unsigned() && value->get<Bytes>() <= most) return value->get<Bytes>();
  reject(shown(*value), key, "a whole number from 0 to 2^63 - 1");
  return std::nullopt;
}

std::optional<std::string> TraceJsonFields::text(std::string_view key) {
  const auto* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_string()) return value->get<std::string>();
  reject(shown(*value), key, "a text");
  return std::nullopt;
}

std::optional<Duration> TraceJsonFields::seconds(std::string_view key) {
  const auto* value = find(key);
  if (value == nullptr) return std::nullopt;
  const double seconds = value->is_number() ? value->get<double>() : std::nan("");
  if (std::abs(seconds) <= kLongestSeconds) return Duration(std::llround(seconds * 1e9));
  reject(shown(*value), key, "a number of seconds");
  return std::nullopt;
}

std::optional<WallTime> TraceJsonFields::wall_time(std::string_view key) {
  const auto written = text(key);
  if (!written) return std::nullopt;
  const auto time = parse_wall_time(*written);
  if (!time) reject(*written, key, "a time as in 2026-11-23T20:03:01.250Z");
  return time;
}

int TraceJsonFields::gpu() {
  const auto index = whole_number("gpu");
  if (index && *index < static_cast<Bytes>(kGpuLimit)) return static_cast<int>(*index);
  require(index, "gpu");
  if (index) reject(std::to_string(*index), "gpu", kExpectedGpu);
  return 0;
}

}  // namespace dualgpuopt::memory
