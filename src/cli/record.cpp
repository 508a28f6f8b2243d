
#include <map>

#include "cli/command.h"
#include "core/format.h"
#include "dualgpuopt/memory/sources/recording.h"

namespace dualgpuopt::memory::cli {
namespace {

constexpr Duration kLookForSignals = std::chrono::milliseconds(100);
constexpr std::string_view kDefaultInterval = "1s";

struct RecordOptions {
  SourceOptions source;
  MonitorOptions monitor;
  std::string file;
  std::string format;
  std::string duration;
};

Result<RecordingForm> choose_form(const RecordOptions& options) {
  if (options.format == "jsonl") return RecordingForm::JsonLines;
  if (options.format == "csv") return RecordingForm::Csv;
  if (!options.format.empty()) {
    return fail(ErrorCode::InvalidArgument, format_text("--format is \"{}\"; it must be jsonl or csv", options.format));
  }
  return options.file.ends_with(".csv") ? RecordingForm::Csv : RecordingForm::JsonLines;
}

/// Every reading once, whether good or not: the moments of the last ones that were written.
class Written {
 public:
  [[nodiscard]] bool is_new(const Reading& reading) {
    const auto [place, inserted] = last_.try_emplace(reading.gpu, reading.time.mono);
    return inserted || std::exchange(place->second, reading.time.mono) != reading.time.mono;
  }

 private:
  std::map<int, MonoTime> last_;
};

/// The unit of a reading's line is a line: each is written at once, so a crash loses none that was taken.
Result<void> record_until_stopped(MemoryMonitor& monitor, RecordingFormatter& formatter, Output& output,
                                  std::optional<Duration> duration) {
  const SystemClock clock;
  Written written;
  std::uint64_t seen = 0;
  while (!StopSignals::requested() && (!duration || clock.now().time_since_epoch() < *duration)) {
    const auto snapshot = monitor.wait_for_snapshot(seen, kLookForSignals);
    if (snapshot->sequence == seen) continue;
    seen = snapshot->sequence;
    for (const auto& device : snapshot->devices) {
      if (device.status == DeviceStatus::Stale || !written.is_new(device.reading)) continue;
      if (auto done = output.write(formatter.line(device.reading)); !done) return done;
    }
  }
  return {};
}

Result<Output> open_output(const std::string& file) {
  if (file.empty() || file == "-") return Output();
  return Output::create(file);
}

int record(const RecordOptions& options) {
  const auto form = choose_form(options);
  if (!form) return report(form.error());
  const auto duration = parse_optional_duration("--duration", options.duration);
  if (!duration) return report(duration.error());
  const auto config = options.monitor.resolve();
  if (!config) return report(config.error());
  const auto monitor = open_monitor(options.source, *config);
  if (!monitor) return report(monitor.error());
  auto output = open_output(options.file);
  if (!output) return report(output.error());

  RecordingFormatter formatter(*form);
  if (auto started = output->write(formatter.header((*monitor)->devices())); !started) return report(started.error());
  const StopSignals signals;
  (*monitor)->start();
  const auto recorded = record_until_stopped(**monitor, formatter, *output, *duration);
  (*monitor)->stop();
  return recorded ? kFine : report(recorded.error());
}

}  // namespace

void add_record(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("record", "Write every reading down, for replay or for anything that reads CSV");
  const auto options = std::make_shared<RecordOptions>();
  options->monitor.interval = kDefaultInterval;
  command
      ->add_option("--source", options->source.source,
                   "Where readings come from: auto, nvml, sim:NAME-OR-FILE, trace:FILE")
      ->capture_default_str();
  command->add_option("--interval", options->monitor.interval, "Read this often")->capture_default_str();
  command->add_option("-o,--output", options->file, "File to create; else standard output");
  command->add_option("--format", options->format, "jsonl (everything) or csv; else by the file's name, else jsonl");
  command->add_option("--duration", options->duration, "End after this long, as in 10min; else at Ctrl-C");
  command->footer("Example: gpumem record --interval 500ms --duration 10min -o run.jsonl");
  command->callback([&action, options] { action = [options] { return record(*options); }; });
}

}  // namespace dualgpuopt::memory::cli
