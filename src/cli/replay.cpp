
#include "cli/command.h"
#include "core/format.h"
#include "dualgpuopt/memory/daemon/config.h"
#include "dualgpuopt/memory/metrics/json.h"
#include "dualgpuopt/memory/sources/trace.h"

namespace dualgpuopt::memory::cli {
namespace {

/// Lines are gathered and written in pieces of about this size.
constexpr std::size_t kWriteSize = 64UL << 10;

struct ReplayOptions {
  std::string file;
  std::string capacity;
  std::string horizon;
  std::string config;
  std::optional<int> gpu;
  bool forecasts = false;
};

Result<MonitorConfig> resolve_config(const ReplayOptions& options) {
  MonitorOptions file_only;
  file_only.config = options.config;
  auto config = file_only.resolve();
  if (!config) return config;
  if (!options.capacity.empty()) {
    const auto capacity = parse_bytes(options.capacity);
    if (!capacity) return fail(Error(capacity.error()).with_context("--capacity"));
    config->capacity = *capacity;
  }
  if (!options.horizon.empty()) {
    const auto horizon = parse_duration(options.horizon);
    if (!horizon) return fail(Error(horizon.error()).with_context("--horizon"));
    config->horizon = *horizon;
  }
  return config;
}

Result<void> keep_only(Trace& trace, int gpu) {
  std::erase_if(trace.readings, [&](const Reading& reading) { return reading.gpu != gpu; });
  std::erase_if(trace.devices, [&](const Device& device) { return device.gpu != gpu; });
  if (!trace.devices.empty()) return {};
  return fail(ErrorCode::InvalidArgument, format_text("--gpu {}: the recording has no such GPU", gpu));
}

/// Without a capacity there are no levels and no risk; say so instead of being silent.
void warn(const Trace& trace, const MonitorConfig& config) {
  for (const auto& warning : trace.warnings) print_text(stderr, "gpumem: {}\n", warning);
  const auto has_total = [](const Reading& reading) { return reading.ok() && reading.memory->total; };
  if (!config.capacity && std::none_of(trace.readings.begin(), trace.readings.end(), has_total)) {
    print_text(stderr, "gpumem: the recording has no totals, so there are no levels; give --capacity to have them\n");
  }
}

std::string forecast_lines(const StepReport& step) {
  std::string lines;
  for (const int gpu : step.fresh) {
    const auto& device = *step.snapshot->find(gpu);
    lines += to_json(*device.forecast, gpu, device.reading.memory->occupied(), Provenance::Replayed) + "\n";
  }
  return lines;
}

/// Of every GPU at the end: what leaks, where adaptive thresholds came to, and how the forecasts came out.
std::string closing_lines(const Snapshot& snapshot) {
  std::string lines;
  for (const auto& device : snapshot.devices) {
    for (const auto& leak : device.leaks) {
      lines += to_json(leak, device.device->gpu, snapshot.time, snapshot.provenance) + "\n";
    }
    for (const auto& threshold : device.thresholds) {
      lines += to_json(threshold, device.device->gpu, snapshot.time, snapshot.provenance) + "\n";
    }
    lines += to_json(device.accuracy, device.device->gpu, snapshot.time, snapshot.provenance) + "\n";
  }
  return lines;
}

std::string event_lines(const StepReport& step) {
  std::string lines;
  for (const auto& alert : step.alerts) lines += to_json(alert) + "\n";
  for (const auto& decision : step.decisions) lines += to_json(decision) + "\n";
  return lines;
}

Result<void> play(MemoryMonitor& monitor, VirtualClock& clock, const std::vector<MonoTime>& times, bool forecasts) {
  Output output;
  std::string lines;
  for (const auto time : times) {
    clock.advance_to(time);
    const auto& step = monitor.step();
    if (forecasts) lines += forecast_lines(step);
    lines += event_lines(step);
    if (lines.size() < kWriteSize) continue;
    if (auto written = output.write(std::exchange(lines, {})); !written) return written;
  }
  if (forecasts) lines += closing_lines(*monitor.snapshot());
  return output.write(lines);
}

int replay(const ReplayOptions& options) {
  auto config = resolve_config(options);
  if (!config) return report(config.error());
  auto trace = load_trace(options.file);
  if (!trace) return report(trace.error());
  if (options.gpu) {
    if (auto kept = keep_only(*trace, *options.gpu); !kept) return report(kept.error());
  }
  if (trace->readings.empty()) return report(Error(ErrorCode::InvalidArgument, options.file + ": no readings"));
  warn(*trace, *config);
  config->polling = PollingConfig::fixed(std::max<Duration>(trace->median_interval(), std::chrono::milliseconds(1)));

  const auto clock = std::make_shared<VirtualClock>();
  const auto times = trace->times();
  const auto monitor = MemoryMonitor::create(std::make_unique<TraceSource>(std::move(*trace), *clock), clock, *config);
  if (!monitor) return report(monitor.error());
  const auto played = play(**monitor, *clock, times, options.forecasts);
  return played ? kFine : report(played.error());
}

}  // namespace

void add_replay(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand(
      "replay", "Run the whole engine over a recording on a virtual clock; alerts and dry-run decisions as JSON Lines");
  const auto options = std::make_shared<ReplayOptions>();
  command->add_option("FILE", options->file, "CSV or JSON Lines, as record or nvidia-smi wrote it")->required();
  command->add_option("--capacity", options->capacity,
                      "Take this as every GPU's total, as in 20GiB or a number of bytes");
  command->add_option("--gpu", options->gpu, "Only this GPU");
  command->add_option("--horizon", options->horizon, "How far risk looks ahead; 60s if not given");
  command->add_option("--config", options->config, "Thresholds and ladder from a TOML file");
  command->add_flag("--forecasts", options->forecasts, "One forecast line for every sample and GPU too");
  command->footer("Example: gpumem replay run.jsonl --capacity 20GiB --horizon 5min --forecasts");
  command->callback([&action, options] { action = [options] { return replay(*options); }; });
}

}  // namespace dualgpuopt::memory::cli
