
#include "cli/command.h"
#include "cli/describe.h"
#include "cli/device_table.h"
#include "cli/screen.h"
#include "core/format.h"
#include "dualgpuopt/memory/metrics/json.h"

namespace dualgpuopt::memory::cli {
namespace {

constexpr std::size_t kMostProcesses = 10;

/// The reading with the newest process list, which may have come with one before.
Reading with_processes(const DeviceSnapshot& device) {
  auto reading = device.reading;
  if (reading.processes == nullptr) reading.processes = device.processes;
  return reading;
}

Result<void> print_json(const Snapshot& snapshot, Output& output) {
  for (const auto& device : snapshot.devices) {
    if (auto written = output.line(to_json(*device.device)); !written) return written;
    if (auto written = output.line(to_json(with_processes(device))); !written) return written;
  }
  return {};
}

/// What the table has no room for.
std::string describe_trouble(const DeviceSnapshot& device) {
  std::string text;
  if (!device.reason.empty()) {
    text += format_text("\nGPU {} is {}: {}\n", device.device->gpu, to_string(device.status), device.reason);
  }
  if (!device.events.empty()) {
    text += format_text("\nGPU {}: the driver reports {}\n", device.device->gpu, describe_events(device.events));
  }
  return text;
}

std::string describe_snapshot(const Snapshot& snapshot, const TableStyle& style) {
  std::string text;
  if (const auto label = provenance_label(snapshot.provenance); !label.empty()) text += label + "\n";
  for (const auto& line : device_table(snapshot, style)) text += line + "\n";
  for (const auto& device : snapshot.devices) text += describe_trouble(device);
  for (const auto& device : snapshot.devices) {
    const auto processes = process_lines(device, style, kMostProcesses);
    if (processes.empty()) continue;
    text += format_text("\nGPU {} processes\n", device.device->gpu);
    for (const auto& line : processes) text += line + "\n";
  }
  return text;
}

/// Fine when at least one device answered.
int exit_code(const Snapshot& snapshot) {
  for (const auto& device : snapshot.devices) {
    if (device.reading.ok()) return kFine;
  }
  return kFailure;
}

int show(const Result<std::shared_ptr<const Snapshot>>& seen, const SourceOptions& options, ByteUnit unit) {
  if (!seen) return report(seen.error());
  Output output;
  const TableStyle style{terminal_size().columns, choose_colors(output.is_terminal()), unit};
  const auto written = options.json ? print_json(**seen, output) : output.write(describe_snapshot(**seen, style));
  return written ? exit_code(**seen) : report(written.error());
}

int status(const SourceOptions& options, const MonitorOptions& monitor_options) {
  const auto unit = parse_byte_unit(options.unit);
  if (!unit) return report(Error(unit.error()).with_context("--unit"));
  const auto config = monitor_options.resolve();
  if (!config) return report(config.error());
  return look_once(options, *config, [&](const auto& seen) { return show(seen, options, *unit); });
}

}  // namespace

void add_status(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("status", "One look at every GPU: memory, level and processes");
  const auto options = std::make_shared<SourceOptions>();
  const auto monitor_options = std::make_shared<MonitorOptions>();
  options->add_to(*command);
  command->add_option("--config", monitor_options->config, "Thresholds from a TOML file");
  command->footer("Example: gpumem status --json | jq 'select(.type==\"reading\") | .free_bytes'");
  command->callback([&action, options, monitor_options] {
    action = [options, monitor_options] { return status(*options, *monitor_options); };
  });
}

}  // namespace dualgpuopt::memory::cli
