#include "dualgpuopt/memory/metrics/forecast.h"

#include <algorithm>
#include <cmath>

#include "core/format.h"

namespace dualgpuopt::memory {
namespace {

std::string in_words(const std::optional<Seconds>& time) {
  const auto seconds = time.value_or(Seconds(0));
  if (seconds.count() < 10) return format_text("{:.1f} s", seconds.count());
  return format_duration(std::chrono::duration_cast<Duration>(seconds));
}

std::string pace(double bytes_per_second) {
  constexpr double largest = 0x1p62;
  return format_bytes(static_cast<Bytes>(std::min(std::abs(bytes_per_second), largest))) + "/s";
}

}  // namespace

std::string_view to_string(Regime regime) {
  switch (regime) {
    case Regime::Unknown: return "unknown";
    case Regime::Steady: return "steady";
    case Regime::Restless: return "restless";
    case Regime::Growing: return "growing";
    case Regime::Falling: return "falling";
    case Regime::Stepping: return "stepping";
    case Regime::Recurring: return "recurring";
    case Regime::Returning: return "returning";
  }
  return "";
}

std::string explain(const Forecast& forecast) {
  switch (forecast.regime) {
    case Regime::Unknown: return "too few readings for a forecast";
    case Regime::Steady: return "steady";
    case Regime::Restless: return "moves without a direction";
    case Regime::Growing: return format_text("grows by {}", pace(forecast.slope_bytes_per_second));
    case Regime::Falling: return format_text("falls by {}", pace(forecast.slope_bytes_per_second));
    case Regime::Stepping:
      return format_text("rises in steps of {} every {}", format_bytes(forecast.step), in_words(forecast.period));
    case Regime::Recurring:
      return format_text("fills up every {} or so, the last time until {} ago", in_words(forecast.period),
                         in_words(forecast.since_oom));
    case Regime::Returning:
      return format_text("was full until {} ago, and what falls mostly comes back", in_words(forecast.since_oom));
  }
  return "";
}

}  // namespace dualgpuopt::memory
