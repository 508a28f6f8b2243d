// The values of this room as JSON Lines records; docs/json.md describes every field.
#pragma once

#include <string>

#include "dualgpuopt/memory/metrics/decision.h"
#include "dualgpuopt/memory/metrics/device.h"
#include "dualgpuopt/memory/metrics/forecast.h"
#include "dualgpuopt/memory/metrics/reading.h"

namespace dualgpuopt::memory {

/// The schema number that every record carries.
inline constexpr int kJsonSchema = 1;

/// One line, without the line feed. Keys keep one order, so equal values give equal text; what is not available is
/// null. Text that is not UTF-8 is shown with replacement characters.
[[nodiscard]] std::string to_json(const Device& device);
[[nodiscard]] std::string to_json(const Reading& reading);
/// `used` is the occupied bytes that the forecast started from.
[[nodiscard]] std::string to_json(const Forecast& forecast, int gpu, Bytes used, Provenance provenance);
[[nodiscard]] std::string to_json(const Decision& decision);

}  // namespace dualgpuopt::memory
