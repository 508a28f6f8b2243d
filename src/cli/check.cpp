
#include "cli/command.h"
#include "cli/describe.h"
#include "core/format.h"

namespace dualgpuopt::memory::cli {
namespace {

/// The monitoring-plugin convention: https://www.monitoring-plugins.org/doc/guidelines.html, return codes and
/// performance data.
enum PluginCode { kOk = 0, kWarning = 1, kCritical = 2, kUnknown = 3 };

struct CheckOptions {
  SourceChoice source;
  std::string config;
  std::string warning;
  std::string critical;
};

PluginCode code_of(const DeviceSnapshot& device) {
  if (device.status != DeviceStatus::Ok || !device.reading.memory->total) return kUnknown;
  if (device.level == Level::Normal) return kOk;
  return device.level == Level::Warning ? kWarning : kCritical;
}

std::string_view name_of(PluginCode code) {
  switch (code) {
    case kOk: return "OK";
    case kWarning: return "WARNING";
    case kCritical: return "CRITICAL";
    case kUnknown: return "UNKNOWN";
  }
  return "UNKNOWN";
}

/// CRITICAL outweighs UNKNOWN, which outweighs WARNING.
int weight(PluginCode code) { return code == kCritical ? 3 : code == kUnknown ? 2 : code == kWarning ? 1 : 0; }

std::string summary_of(const DeviceSnapshot& device) {
  if (!device.reading.ok()) return format_text("GPU {} unavailable: {}", device.device->gpu, device.reason);
  const auto& memory = *device.reading.memory;
  if (!memory.total)
    return format_text("GPU {} {}, total not known", device.device->gpu, describe_use(memory, ByteUnit::Auto));
  return format_text("GPU {} {} ({})", device.device->gpu, format_percent(*memory.occupied_percent()),
                     describe_use(memory, ByteUnit::Auto));
}

/// 'label'=value[UOM];[warn];[crit];[min];[max], with the thresholds in the value's own unit.
std::string performance_of(const DeviceSnapshot& device, const AlertThresholds& thresholds) {
  if (!device.reading.ok() || !device.reading.memory->total) return "";
  const auto total = *device.reading.memory->total;
  const auto limit = [&](const LevelThreshold& threshold) {
    auto bytes = static_cast<Bytes>(static_cast<double>(total) * threshold.percent / 100);
    if (threshold.free) bytes = std::min(bytes, total - std::min(total, *threshold.free));
    return bytes;
  };
  return format_text(" gpu{}_used={}B;{};{};0;{}", device.device->gpu, device.reading.memory->occupied(),
                     limit(thresholds.warning), limit(thresholds.critical), total);
}

int print_result(const Snapshot& snapshot, const AlertThresholds& thresholds) {
  auto worst = kOk;
  std::string summary;
  std::string performance;
  for (const auto& device : snapshot.devices) {
    if (weight(code_of(device)) > weight(worst)) worst = code_of(device);
    summary += (summary.empty() ? "" : ", ") + summary_of(device);
    performance += performance_of(device, thresholds);
  }
  const auto label = provenance_label(snapshot.provenance);
  const auto line = format_text("GPUMEM {}{} - {}{}{}", name_of(worst), label.empty() ? "" : " " + label, summary,
                                performance.empty() ? "" : " |", performance);
  return Output().line(line) ? static_cast<int>(worst) : static_cast<int>(kUnknown);
}

/// A plugin's result goes to standard output, errors included.
int unknown(const Error& error) {
  (void)Output().line("GPUMEM UNKNOWN - " + error.describe());
  return kUnknown;
}

/// "80%" or "2GiB" (free).
Result<void> set_threshold(LevelThreshold& threshold, const std::string& text) {
  if (text.empty()) return {};
  if (const auto percent = parse_percent(text)) {
    threshold.percent = *percent;
    return {};
  }
  const auto bytes = parse_bytes(text);
  if (!bytes) {
    return fail(
        ErrorCode::ParseFailed,
        format_text("cannot read \"{}\" as a threshold: expected a percentage, as in 80%, or free memory, as in 2GiB",
                    text));
  }
  threshold = {100, *bytes, {}};
  return {};
}

Result<MonitorConfig> resolve(const CheckOptions& options) {
  MonitorOptions file_only;
  file_only.config = options.config;
  auto config = file_only.resolve();
  if (!config) return config;
  auto& thresholds = config->thresholds;
  if (auto set = set_threshold(thresholds.warning, options.warning); !set)
    return fail(Error(set.error()).with_context("--warning"));
  if (auto set = set_threshold(thresholds.critical, options.critical); !set)
    return fail(Error(set.error()).with_context("--critical"));
  if (!options.critical.empty()) thresholds.emergency = thresholds.critical;
  if (auto valid = thresholds.validate(); !valid) return fail(std::move(valid.error()));
  return config;
}

int check(const CheckOptions& options) {
  const auto config = resolve(options);
  if (!config) return unknown(config.error());
  return look_once(options.source, *config, [&](const auto& seen) {
    return seen ? print_result(**seen, config->thresholds) : unknown(seen.error());
  });
}

}  // namespace

void add_check(CLI::App& app, Action& action) {
  auto* command =
      app.add_subcommand("check", "A monitoring plugin: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN, with performance data");
  const auto options = std::make_shared<CheckOptions>();
  options->source.add_to(*command);
  command->add_option("-w,--warning", options->warning, "As 80% used or 2GiB free; 80% if not given");
  command->add_option("-c,--critical", options->critical, "As 90% used or 1GiB free; 90% if not given");
  command->add_option("--config", options->config, "Thresholds from a TOML file");
  command->footer("Example: gpumem check -w 80% -c 90%");
  command->callback([&action, options] { action = [options] { return check(*options); }; });
}

}  // namespace dualgpuopt::memory::cli
