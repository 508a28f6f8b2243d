
#include <deque>

#include "cli/command.h"
#include "cli/describe.h"
#include "cli/device_table.h"
#include "cli/screen.h"
#include "cli/watch_view.h"
#include "core/format.h"
#include "dualgpuopt/memory/core/mutex.h"
#include "dualgpuopt/memory/metrics/json.h"

namespace dualgpuopt::memory::cli {
namespace {

constexpr Duration kLookForSignals = std::chrono::milliseconds(100);

/// Alerts and decisions on their way from the monitor's threads to the one that prints.
class EventLog {
 public:
  struct Entry {
    std::string text;
    std::string json;
  };
  void add(Entry entry) {
    const MutexLock lock(mutex_);
    entries_.push_back(std::move(entry));
  }
  [[nodiscard]] std::deque<Entry> take() {
    const MutexLock lock(mutex_);
    return std::exchange(entries_, {});
  }

 private:
  Mutex mutex_;
  std::deque<Entry> entries_ DUALGPUOPT_GUARDED_BY(mutex_);
};

/// Where frames, lines or records go.
class View {
 public:
  virtual ~View() = default;
  [[nodiscard]] virtual Result<void> show(const Snapshot& snapshot, const std::deque<EventLog::Entry>& events) = 0;
};

/// A terminal: one table, redrawn in place, and the newest events under it.
class ScreenView final : public View {
 public:
  ScreenView(Output& output, std::string source, TableStyle style)
      : screen_(output), source_(std::move(source)), style_(style) {}

  Result<void> show(const Snapshot& snapshot, const std::deque<EventLog::Entry>& events) override {
    for (const auto& event : events) log_.push_back(event.text);
    const auto size = terminal_size();
    style_.width = size.columns;
    while (log_.size() > size.rows) log_.pop_front();
    return screen_.draw(watch_frame(snapshot, source_, log_, style_, size.rows));
  }

 private:
  Screen screen_;
  std::string source_;
  TableStyle style_;
  std::deque<std::string> log_;
};

/// Good readings that were not shown before.
class NewReadings {
 public:
  [[nodiscard]] bool is_new(const DeviceSnapshot& device) {
    auto& last = last_[device.device->gpu];
    const auto now = std::make_pair(device.reading.time.mono, device.status);
    return std::exchange(last, now) != now;
  }

 private:
  std::map<int, std::optional<std::pair<MonoTime, DeviceStatus>>> last_;
};

/// A pipe or a file: one line an event or reading.
class LineView final : public View {
 public:
  LineView(Output& output, ByteUnit unit) : output_(output), unit_(unit) {}

  Result<void> show(const Snapshot& snapshot, const std::deque<EventLog::Entry>& events) override {
    std::string lines;
    for (const auto& device : snapshot.devices) {
      if (readings_.is_new(device)) lines += describe_device(device, unit_) + "\n";
    }
    for (const auto& event : events) lines += event.text + "\n";
    return output_.write(lines);
  }

 private:
  Output& output_;
  ByteUnit unit_;
  NewReadings readings_;
};

/// The same as JSON Lines, the devices first.
class JsonView final : public View {
 public:
  explicit JsonView(Output& output) : output_(output) {}

  Result<void> show(const Snapshot& snapshot, const std::deque<EventLog::Entry>& events) override {
    std::string lines;
    for (const auto& device : snapshot.devices) {
      if (!introduced_) lines += to_json(*device.device) + "\n";
    }
    introduced_ = true;
    for (const auto& device : snapshot.devices) {
      if (readings_.is_new(device)) lines += records_of(device);
    }
    for (const auto& event : events) lines += event.json + "\n";
    return output_.write(lines);
  }

 private:
  std::string records_of(const DeviceSnapshot& device) {
    auto lines = to_json(device.reading) + "\n";
    if (device.status == DeviceStatus::Ok && device.forecast) {
      lines +=
          to_json(*device.forecast, device.device->gpu, device.reading.memory->occupied(), device.reading.provenance) +
          "\n";
    }
    for (const auto& leak : device.leaks) {
      lines += to_json(leak, device.device->gpu, device.reading.time, device.reading.provenance) + "\n";
    }
    for (const auto& threshold : device.thresholds) {
      lines += to_json(threshold, device.device->gpu, device.reading.time, device.reading.provenance) + "\n";
    }
    if (std::exchange(due_[device.device->gpu], device.accuracy.due) != device.accuracy.due) {
      lines += to_json(device.accuracy, device.device->gpu, device.reading.time, device.reading.provenance) + "\n";
    }
    return lines;
  }

  Output& output_;
  NewReadings readings_;
  std::map<int, std::uint64_t> due_;  // forecasts that had come due at a GPU's last accuracy record
  bool introduced_ = false;
};

std::unique_ptr<View> make_view(Output& output, const SourceOptions& options, ByteUnit unit) {
  if (options.json) return std::make_unique<JsonView>(output);
  if (!output.is_terminal()) return std::make_unique<LineView>(output, unit);
  return std::make_unique<ScreenView>(output, options.source, TableStyle{0, choose_colors(true), unit});
}

/// Shows every snapshot until a signal, the end of the time, or a failed write.
Result<void> show_until_stopped(MemoryMonitor& monitor, EventLog& events, View& view,
                                std::optional<Duration> duration) {
  const SystemClock clock;
  std::uint64_t shown = 0;
  while (!StopSignals::requested() && (!duration || clock.now().time_since_epoch() < *duration)) {
    const auto snapshot = monitor.wait_for_snapshot(shown, kLookForSignals);
    if (snapshot->sequence == shown) continue;
    shown = snapshot->sequence;
    if (auto drawn = view.show(*snapshot, events.take()); !drawn) return drawn;
  }
  return {};
}

struct WatchOptions {
  SourceOptions source;
  MonitorOptions monitor;
  std::string duration;
};

int watch(const WatchOptions& options) {
  const auto unit = parse_byte_unit(options.source.unit);
  if (!unit) return report(Error(unit.error()).with_context("--unit"));
  const auto duration = parse_optional_duration("--duration", options.duration);
  if (!duration) return report(duration.error());
  const auto config = options.monitor.resolve();
  if (!config) return report(config.error());
  const auto monitor = open_monitor(options.source, *config);
  if (!monitor) return report(monitor.error());

  EventLog events;
  const auto alerts = (*monitor)->subscribe(Level::Warning, LevelFilter::AtOrAbove, [&](const MemoryAlert& alert) {
    events.add({describe_alert(alert), to_json(alert)});
  });
  const auto decisions = (*monitor)->subscribe_decisions([&](const Decision& decision) {
    events.add({describe_decision(decision), to_json(decision)});
  });
  const StopSignals signals;
  Output output;
  const auto view = make_view(output, options.source, *unit);
  (*monitor)->start();
  const auto shown = show_until_stopped(**monitor, events, *view, *duration);
  (*monitor)->stop();
  return shown ? kFine : report(shown.error());
}

}  // namespace

void add_watch(CLI::App& app, Action& action) {
  auto* command =
      app.add_subcommand("watch", "The GPUs live: a table on a terminal, one line a reading or event in a pipe");
  const auto options = std::make_shared<WatchOptions>();
  options->source.add_to(*command);
  options->monitor.add_to(*command);
  command->add_option("--duration", options->duration, "End after this long, as in 10min; else at Ctrl-C");
  command->footer("Example: gpumem watch --source sim:demo");
  command->callback([&action, options] { action = [options] { return watch(*options); }; });
}

}  // namespace dualgpuopt::memory::cli
