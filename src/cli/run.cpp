#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "cli/command.h"
#include "cli/describe.h"
#include "cli/style.h"
#include "core/format.h"
#include "job/supervisor.h"

namespace dualgpuopt::memory::cli {
namespace {

/// Of env(1): what gpumem itself could not do.
constexpr int kOwnFailure = 125;
constexpr int kSignalled = 128;

struct RunOptions {
  SourceChoice source;
  std::string config;
  std::string interval;
  std::string budget;
  std::optional<std::string> priority;
  std::string on_pressure;
  std::string on_pressure_timeout = "30s";
  std::string grace = "10s";
  std::string json;
  bool has_budget = false;  // an empty one is an error, and not no budget
  bool has_pressure_command = false;
  bool without_gpu = false;
  std::vector<std::string> command;
};

/// One write a line, so that lines of the command do not come in between.
void say(const std::string& text, Provenance provenance) {
  const auto label = provenance_label(provenance);
  const auto line = format_text("gpumem: {}{}\n", label.empty() ? "" : label + ": ", text);
  (void)!::write(STDERR_FILENO, line.data(), line.size());
}

int refuse(const Error& error) {
  say(error.describe(), Provenance::Driver);
  return kOwnFailure;
}

Result<Duration> parse_named(const std::string& option, const std::string& text) {
  auto parsed = parse_duration(text);
  if (!parsed) return fail(std::move(parsed.error()).with_context(option));
  return parsed;
}

/// What was written on the command line, understood.
Result<job::JobOptions> resolve(const RunOptions& options) {
  job::JobOptions resolved;
  resolved.command = options.command;
  if (options.priority) {
    const auto priority = job::parse_priority(*options.priority);
    if (!priority) return fail(priority.error());
    resolved.priority = *priority;
  }
  if (options.has_budget) {
    auto budget = job::parse_budget(options.budget);
    if (!budget) return fail(std::move(budget.error()).with_context("--gpu-budget"));
    resolved.rules.budget = *budget;
  }
  const auto grace = parse_named("--grace", options.grace);
  if (!grace) return fail(grace.error());
  const auto limit = parse_named("--on-pressure-timeout", options.on_pressure_timeout);
  if (!limit) return fail(limit.error());
  const auto interval = parse_optional_duration("--interval", options.interval);
  if (!interval) return fail(interval.error());
  if (options.has_pressure_command && options.on_pressure.empty()) {
    return fail(ErrorCode::InvalidArgument, "--on-pressure: the command is empty; leave the option out to run none");
  }
  resolved.rules.grace = *grace;
  resolved.rules.has_pressure_command = !options.on_pressure.empty();
  resolved.pressure_command = options.on_pressure;
  resolved.pressure_limit = *limit;
  resolved.interval = *interval;
  return resolved;
}

/// Where the record goes: a line at the end of a file, or standard error.
class RecordFile {
 public:
  [[nodiscard]] static Result<RecordFile> open(const std::string& path) {
    if (path.empty() || path == "-") return RecordFile(path.empty() ? -1 : STDERR_FILENO);
    const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (descriptor >= 0) return RecordFile(descriptor);
    return fail(ErrorCode::Io, format_text("--json: cannot open {}: {}", path, std::strerror(errno)));
  }
  void write(const std::string& line) const {
    if (descriptor_ >= 0 && ::write(descriptor_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
      say(format_text("the record was not written: {}", std::strerror(errno)), Provenance::Driver);
    }
  }

 private:
  explicit RecordFile(int descriptor) : descriptor_(descriptor) {}

  int descriptor_;  // left to the end of the process
};

Result<void> check_gpus(const job::Budget& budget, const MemoryMonitor& monitor) {
  const auto devices = monitor.devices();
  for (const auto& [gpu, bytes] : budget.by_gpu) {
    const auto device = std::find_if(devices.begin(), devices.end(),
                                     [&, wanted = gpu](const Device& each) { return each.gpu == wanted; });
    if (device == devices.end()) return fail(ErrorCode::NotFound, format_text("--gpu-budget: there is no GPU {}", gpu));
    if (device->kind == DeviceKind::Partitioned) {
      return fail(ErrorCode::InvalidArgument,
                  format_text("--gpu-budget: GPU {} is partitioned, and what a job holds is counted on its instances; "
                              "name those, as `gpumem status` numbers them",
                              gpu));
    }
  }
  return {};
}

/// A budget that nobody can watch is worse than none: the command is not started.
Result<void> wait_for_driver(job::Supervisor& supervisor, job::MemoryWatch& memory, const job::Budget& budget,
                             Duration patience) {
  if (supervisor.wait_for_driver(patience)) return check_gpus(budget, *memory.monitor());
  return fail(Error(ErrorCode::Unavailable, memory.why_none() + "; --without-gpu runs the command all the same")
                  .with_context("the budget cannot be watched, and the command was not started"));
}

void print_summary(const job::RunRecord& record) {
  const auto text = job::describe(record);
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = text.find('\n', begin);
    say(printable(text.substr(begin, end - begin)), record.provenance);
    begin = end + 1;
  }
}

int run_to_end(const RunOptions& options, const job::JobOptions& resolved, const MonitorConfig& config,
               Duration patience) {
  const auto record_file = RecordFile::open(options.json);
  if (!record_file) return refuse(record_file.error());
  const job::JobSignals signals;
  const job::Terminal terminal;
  job::become_reaper();
  auto launch = job::Launch::prepare(resolved.command, resolved.priority, signals);
  if (!launch) return refuse(launch.error());

  const auto clock = std::make_shared<SystemClock>();
  job::MemoryWatch memory(open_in_background(options.source, config, clock));
  const auto tell = [&](const std::string& text) {
    say(text, memory.monitor() ? memory.monitor()->provenance() : Provenance::Driver);
  };
  job::Supervisor supervisor(resolved, {signals, terminal, memory, *clock, tell}, launch->job());
  if (resolved.rules.budget != job::Budget{} && !options.without_gpu) {
    const auto ready = wait_for_driver(supervisor, memory, resolved.rules.budget, patience);
    if (const auto signal = supervisor.interrupted_by()) return kSignalled + *signal;
    if (!ready) return refuse(ready.error());
  }
  if (const int problem = launch->let_go(terminal); problem != 0) {
    terminal.take_back_from(launch->job());
    say(format_text("cannot run {}: {}", in_quotes(resolved.command.front()), std::strerror(problem)),
        Provenance::Driver);
    return job::exit_code_of_failed_exec(problem);
  }
  const auto record = supervisor.run();
  if (options.json != "-") print_summary(record);
  record_file->write(job::to_json(record) + "\n");
  return record.exit_code();
}

int run(const RunOptions& options) {
  const auto resolved = resolve(options);
  if (!resolved) return refuse(resolved.error());
  const auto config = MonitorOptions{options.config, options.interval}.resolve();
  if (!config) return refuse(config.error());
  const auto patience = parse_named("--timeout", options.source.timeout);
  if (!patience) return refuse(patience.error());
  const int code = run_to_end(options, *resolved, *config, *patience);
  std::_Exit(code);  // a thread may hang in the driver, and nobody waits for it
}

}  // namespace

void add_run(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand(
      "run",
      "Run a command as a watched job: gpumem run [OPTIONS] -- COMMAND [ARGUMENTS]; tells its peak of GPU memory");
  const auto options = std::make_shared<RunOptions>();
  options->source.add_to(*command);
  command->add_option("--config", options->config, "Thresholds and pace from a TOML file");
  command->add_option("--interval", options->interval,
                      "Read memory and process lists this often, as in 500ms; else the pace adapts");
  command->add_option("--gpu-budget", options->budget,
                      "End the job when it holds more: 20GiB over all GPUs, or 0:20GiB,1:8GiB of each");
  command->add_option("--grace", options->grace, "To come back within the budget, and between SIGTERM and SIGKILL")
      ->capture_default_str();
  command->add_option("--on-pressure", options->on_pressure,
                      "Shell command to run when the job is over its budget or a GPU runs out of memory");
  command->add_option("--on-pressure-timeout", options->on_pressure_timeout, "It is killed after this long")
      ->capture_default_str();
  command->add_flag("--without-gpu", options->without_gpu, "Start even where the budget cannot be watched");
  command->add_option("--priority", options->priority,
                      "low, normal or high: who is ended first when memory runs out, on the GPU and on the host");
  command->add_option("--json", options->json,
                      "Append a JSON record to this file; -: to standard error, for the summary");
  command->add_option("command", options->command, "The command and its arguments")->required();
  command->footer("Example: gpumem run --gpu-budget 20GiB --on-pressure 'kill -USR1 $GPUMEM_JOB' -- python train.py");
  command->callback([&action, options, command] {
    options->has_budget = command->count("--gpu-budget") > 0;
    options->has_pressure_command = command->count("--on-pressure") > 0;
    action = [options] { return run(*options); };
  });
}

}  // namespace dualgpuopt::memory::cli
