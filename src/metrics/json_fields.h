// How the records of all rooms are put together; private to the library.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "dualgpuopt/memory/core/clock.h"
#include "dualgpuopt/memory/metrics/decision.h"
#include "dualgpuopt/memory/metrics/reading.h"

namespace dualgpuopt::memory {

/// Keeps the order in which fields are added.
using JsonRecord = nlohmann::ordered_json;

/// A record with the fields that all have: schema, type, t, time.
[[nodiscard]] JsonRecord start_record(std::string_view type, const TimeStamp& time);

/// `value` or null.
template <typename T>
[[nodiscard]] JsonRecord or_null(const std::optional<T>& value) {
  return value ? JsonRecord(*value) : JsonRecord(nullptr);
}
/// The text, or null when it is empty.
[[nodiscard]] JsonRecord or_null(const std::string& text);

/// `value` to so many decimals; a value that is not finite is left as it is, and is written as null.
[[nodiscard]] double rounded(double value, int decimals);
[[nodiscard]] JsonRecord rounded_or_null(const std::optional<double>& value, int decimals);
/// Rounded to the millisecond.
[[nodiscard]] double rounded_seconds(double seconds);
[[nodiscard]] JsonRecord seconds_or_null(const std::optional<Seconds>& seconds);
/// The nearest whole number, saturated at the limits of SignedBytes; null when it is not finite.
[[nodiscard]] JsonRecord whole_bytes_or_null(double bytes);

/// The record of a reading, as to_json writes it, for records that contain one.
[[nodiscard]] JsonRecord reading_record(const Reading& reading);
[[nodiscard]] JsonRecord event_records(const std::vector<DeviceEvent>& events);
/// `used` is empty when the reading behind the forecast is gone.
[[nodiscard]] JsonRecord forecast_record(const Forecast& forecast, int gpu, std::optional<Bytes> used,
                                         Provenance provenance);

/// One line of text.
[[nodiscard]] std::string dump(const JsonRecord& record);

}  // namespace dualgpuopt::memory
