#include "dualgpuopt/memory/sources/make_source.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "core/format.h"
#include "dualgpuopt/memory/sources/nvml.h"
#include "dualgpuopt/memory/sources/simulated.h"
#include "dualgpuopt/memory/sources/trace.h"
#include "sources/source_driver.h"

namespace dualgpuopt::memory {
namespace {

using SourceResult = Result<std::unique_ptr<MemorySource>>;

constexpr std::string_view kAuto = "auto";
constexpr std::string_view kSimulatedPrefix = "sim:";
constexpr std::string_view kTracePrefix = "trace:";
constexpr std::size_t kLongestShown = 200;

tl::unexpected<Error> refuse_spec(std::string_view spec, const std::vector<SourceDriver>& drivers) {
  std::vector<std::string_view> names{kAuto};
  for (const auto& driver : drivers) names.push_back(driver.name);
  return fail(
      ErrorCode::InvalidArgument,
      format_text("unknown source {:?}: expected {}, sim:NAME-OR-FILE (built in: {}) or trace:FILE",
                  spec.substr(0, kLongestShown), fmt::join(names, ", "), fmt::join(builtin_scenario_names(), ", ")));
}

/// A name that is built in wins over a file of that name.
Result<Scenario> find_scenario(std::string_view name_or_file) {
  auto builtin = builtin_scenario(name_or_file);
  if (builtin || builtin.error().code() != ErrorCode::NotFound) return builtin;
  auto loaded = load_scenario(std::filesystem::path(name_or_file));
  if (loaded || loaded.error().code() != ErrorCode::NotFound) return loaded;
  return fail(ErrorCode::NotFound, builtin.error().message() + ", and no file of that name");
}

SourceResult open_simulated(std::string_view name_or_file, const Clock& clock) {
  auto scenario = find_scenario(name_or_file);
  if (!scenario) return fail(std::move(scenario.error()));
  return std::make_unique<SimulatedSource>(std::move(*scenario), clock);
}

SourceResult open_trace(std::string_view file, const Clock& clock) {
  auto trace = load_trace(std::filesystem::path(file));
  if (!trace) return fail(std::move(trace.error()));
  trace->count_from_first_row();  // the clock's origin, for it may not begin where the recording does
  return std::make_unique<TraceSource>(std::move(*trace), clock);
}

/// The source of a driver, if it has any device.
SourceResult open_with_devices(const SourceDriver& driver, const Clock& clock, const SourceSettings& settings) {
  auto source = driver.open(clock, settings);
  if (!source) return source;
  const auto devices = (*source)->enumerate();
  if (!devices) return fail(devices.error());
  if (devices->empty()) return fail(ErrorCode::NotFound, "the driver answers, but has no GPU");
  return source;
}

/// What follows the prefix, if the spec has that prefix and anything follows.
std::string_view after_prefix(std::string_view spec, std::string_view prefix) {
  return spec.substr(0, prefix.size()) == prefix ? spec.substr(prefix.size()) : std::string_view{};
}

}  // namespace

std::vector<SourceDriver> source_drivers() {
  return {
      {"nvml",
       [](const Clock& clock, const SourceSettings& settings) {
         return open_nvml(clock, {"", "/", settings});
       }},
  };
}

SourceResult open_first(const std::vector<SourceDriver>& drivers, const Clock& clock, const SourceSettings& settings) {
  std::vector<std::string> attempts;
  for (const auto& driver : drivers) {
    auto source = open_with_devices(driver, clock, settings);
    if (source) return source;
    attempts.push_back(format_text("{}: {}", driver.name, source.error().describe()));
  }
  return fail(ErrorCode::Unavailable, format_text("no GPU was found; tried {}", fmt::join(attempts, "; ")));
}

SourceResult make_source(std::string_view spec, const Clock& clock, const SourceSettings& settings,
                         const std::vector<SourceDriver>& drivers) {
  if (spec == kAuto) return open_first(drivers, clock, settings);
  for (const auto& driver : drivers) {
    if (spec == driver.name) return driver.open(clock, settings);
  }
  if (const auto scenario = after_prefix(spec, kSimulatedPrefix); !scenario.empty()) {
    return open_simulated(scenario, clock);
  }
  if (const auto file = after_prefix(spec, kTracePrefix); !file.empty()) return open_trace(file, clock);
  return refuse_spec(spec, drivers);
}

SourceResult make_source(std::string_view spec, const Clock& clock, const SourceSettings& settings) {
  return make_source(spec, clock, settings, source_drivers());
}

}  // namespace dualgpuopt::memory
