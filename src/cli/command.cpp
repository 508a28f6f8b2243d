#include "cli/command.h"

#include <algorithm>
#include <csignal>
#include <future>
#include <thread>

#include "cli/child.h"
#include "core/format.h"
#include "dualgpuopt/memory/daemon/config.h"
#include "dualgpuopt/memory/sources/make_source.h"

namespace dualgpuopt::memory::cli {
namespace {

constexpr Duration kShortestInterval = std::chrono::milliseconds(1);
/// Of a driver that has opened, for the first readings: longer than the reader takes to give one up.
constexpr Duration kPatience = std::chrono::seconds(6);

/// So many devices may fail to answer before the time for opening is over.
constexpr int kLookupsInTime = 3;

volatile std::sig_atomic_t stop_requested = 0;

extern "C" void request_stop(int /*signal*/) { stop_requested = 1; }

Result<Duration> parse_timeout(const SourceChoice& source) {
  const auto parsed = parse_duration(source.timeout);
  if (!parsed) return fail(Error(parsed.error()).with_context("--timeout"));
  return *parsed;
}

Result<std::unique_ptr<MemoryMonitor>> open_now(const SourceChoice& source, const MonitorConfig& config,
                                                std::shared_ptr<Clock> clock = std::make_shared<SystemClock>()) {
  const auto timeout = parse_timeout(source);
  if (!timeout) return fail(timeout.error());
  SourceSettings settings{source.wake ? WakePolicy::Wake : WakePolicy::LeaveAsleep};
  settings.patience = std::min(settings.patience, *timeout / kLookupsInTime);
  auto opened = make_source(source.source, *clock, settings);
  if (!opened) return fail(std::move(opened.error()));
  return MemoryMonitor::create(std::move(*opened), clock, config);
}

bool is_incomplete(const Snapshot& snapshot) {
  return std::any_of(snapshot.devices.begin(), snapshot.devices.end(),
                     [](const DeviceSnapshot& device) { return device.is_awaited; });
}

Result<std::shared_ptr<const Snapshot>> look(const SourceChoice& source, const MonitorConfig& config) {
  const auto monitor = open_now(source, config);
  if (!monitor) return fail(monitor.error());
  (*monitor)->start();
  const SystemClock clock;
  auto snapshot = (*monitor)->wait_for_snapshot(0, kPatience);
  while (is_incomplete(*snapshot) && clock.now().time_since_epoch() < kPatience) {
    snapshot = (*monitor)->wait_for_snapshot(snapshot->sequence, kPatience - clock.now().time_since_epoch());
  }
  (*monitor)->stop();
  return snapshot;
}

bool is_usage(ErrorCode code) { return code == ErrorCode::InvalidArgument || code == ErrorCode::ParseFailed; }

}  // namespace

int report(const Error& error) {
  print_text(stderr, "gpumem: {}\n", error.describe());
  return is_usage(error.code()) ? kUsage : kFailure;
}

void SourceChoice::add_to(CLI::App& command) {
  command.add_option("--source", source, "Where readings come from: auto, nvml, sim:NAME-OR-FILE, trace:FILE")
      ->capture_default_str();
  command.add_option("--timeout", timeout, "Give up when the driver takes longer than this to open")
      ->capture_default_str();
  command.add_flag("--wake", wake, "Read GPUs that sleep to save power, too, which wakes them up");
}

void SourceOptions::add_to(CLI::App& command) {
  SourceChoice::add_to(command);
  command.add_option("--unit", unit, "Unit of amounts: auto, B, KiB, MiB, GiB")->capture_default_str();
  command.add_flag("--json", json, "Print JSON Lines, as docs/json.md describes them");
}

void MonitorOptions::add_to(CLI::App& command) {
  command.add_option("--config", config, "Thresholds, ladder and pace from a TOML file");
  command.add_option("--interval", interval, "Read this often, as in 500ms; else the pace adapts, about every second");
}

Result<MonitorConfig> MonitorOptions::resolve() const {
  MonitorConfig resolved;
  if (!config.empty()) {
    auto loaded = load_config(config);
    if (!loaded) return loaded;
    resolved = *loaded;
  }
  if (!interval.empty()) {
    const auto parsed = parse_duration(interval);
    if (!parsed) return fail(Error(parsed.error()).with_context("--interval"));
    if (*parsed < kShortestInterval) {
      return fail(ErrorCode::InvalidArgument, format_text("--interval is {}; it must be at least {}", interval,
                                                          format_duration(kShortestInterval)));
    }
    resolved.polling = resolved.polling.with_fixed_interval(*parsed);
  }
  if (auto valid = resolved.validate(); !valid) return fail(std::move(valid.error()));
  return resolved;
}

Result<std::optional<Duration>> parse_optional_duration(const std::string& option, const std::string& text) {
  if (text.empty()) return std::nullopt;
  const auto parsed = parse_duration(text);
  if (!parsed) return fail(Error(parsed.error()).with_context(option));
  return *parsed;
}

std::future<Result<std::unique_ptr<MemoryMonitor>>> open_in_background(const SourceChoice& source,
                                                                       const MonitorConfig& config,
                                                                       std::shared_ptr<Clock> clock) {
  // A driver can hang while it opens, and nothing ends that call: it keeps the thread that it was made on.
  auto promise = std::make_shared<std::promise<Result<std::unique_ptr<MemoryMonitor>>>>();
  auto opened = promise->get_future();
  std::thread([promise, source, config, clock] { promise->set_value(open_now(source, config, clock)); }).detach();
  return opened;
}

Result<std::unique_ptr<MemoryMonitor>> open_monitor(const SourceChoice& source, const MonitorConfig& config) {
  const auto patience = parse_timeout(source);
  if (!patience) return fail(patience.error());
  auto opened = open_in_background(source, config, std::make_shared<SystemClock>());
  if (opened.wait_for(*patience) == std::future_status::ready) return opened.get();
  return fail(ErrorCode::Unavailable,
              format_text("the driver has not opened for {}; a call may be stuck in it: see the kernel's log",
                          format_duration(*patience)));
}

int look_once(const SourceChoice& source, MonitorConfig config, const ShowOnce& show) {
  const auto patience = parse_timeout(source);
  if (!patience) return show(fail(patience.error()));
  for (auto* level : {&config.thresholds.warning, &config.thresholds.critical, &config.thresholds.emergency}) {
    level->minimum_duration = {};
  }
  const auto code = run_in_child([&] { return show(look(source, config)); }, *patience + kPatience);
  return code ? *code : show(fail(code.error()));
}

StopSignals::StopSignals() {
  stop_requested = 0;
  std::signal(SIGINT, request_stop);
  std::signal(SIGTERM, request_stop);
}

StopSignals::~StopSignals() {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

bool StopSignals::requested() { return stop_requested != 0; }

}  // namespace dualgpuopt::memory::cli
