// What the subcommands share: exit codes, common options, and how a monitor is put together from them.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>

#include "cli/output.h"
#include "dualgpuopt/memory/monitor/memory_monitor.h"

namespace dualgpuopt::memory::cli {

/// What gpumem exits with; `check` has the codes of monitoring plugins instead.
enum ExitCode { kFine = 0, kFailure = 1, kUsage = 2 };

/// A subcommand that was chosen and parsed, ready to run; returns the exit code.
using Action = std::function<int()>;

/// Prints "gpumem: …" to standard error and gives the code for it: kUsage for what the user wrote, else kFailure.
int report(const Error& error);

/// Which source, how gently and how patiently: --source, --wake and --timeout.
struct SourceChoice {
  std::string source = "auto";
  std::string timeout = "15s";
  bool wake = false;

  void add_to(CLI::App& command);
};

/// Those of SourceChoice, --json and --unit: on every subcommand that shows devices.
struct SourceOptions : SourceChoice {
  std::string unit = "auto";
  bool json = false;

  void add_to(CLI::App& command);
};

/// Texts of options that are read after parsing, so that errors can say more than the parser could.
struct MonitorOptions {
  std::string config;    ///< File; empty: none.
  std::string interval;  ///< Empty: the configuration's own, adaptive pace.

  void add_to(CLI::App& command);
  /// The file's configuration with the options put over it.
  [[nodiscard]] Result<MonitorConfig> resolve() const;
};

/// The value of a duration option, empty where the option was not given; errors name the option.
[[nodiscard]] Result<std::optional<Duration>> parse_optional_duration(const std::string& option,
                                                                      const std::string& text);

/// A monitor over the source, which opens on a thread of its own; nobody has to wait for it.
[[nodiscard]] std::future<Result<std::unique_ptr<MemoryMonitor>>> open_in_background(const SourceChoice& source,
                                                                                     const MonitorConfig& config,
                                                                                     std::shared_ptr<Clock> clock);

/// A monitor over the source, not started. Error (Unavailable) also if the driver has not opened in time; then this
/// process should end soon, and without waiting for its threads.
[[nodiscard]] Result<std::unique_ptr<MemoryMonitor>> open_monitor(const SourceChoice& source,
                                                                  const MonitorConfig& config);

/// The first snapshot, or why there is none; shows it and gives the exit code.
using ShowOnce = std::function<int(const Result<std::shared_ptr<const Snapshot>>&)>;
/// One round of readings, or what is known of it when the time is over, handed to `show`. A level needs no minimum
/// duration here, where there is only one look. All of it happens in a child process: a driver that does not answer
/// cannot keep the command from ending.
[[nodiscard]] int look_once(const SourceChoice& source, MonitorConfig config, const ShowOnce& show);

/// Makes SIGINT and SIGTERM set a flag instead of ending the process, for as long as the object lives; make one.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
  [[nodiscard]] static bool requested();
};

/// Each adds its subcommand and leaves what is to be done in `action` when it is chosen.
void add_status(CLI::App& app, Action& action);
void add_watch(CLI::App& app, Action& action);
void add_record(CLI::App& app, Action& action);
void add_replay(CLI::App& app, Action& action);
void add_check(CLI::App& app, Action& action);
void add_estimate(CLI::App& app, Action& action);
void add_explain_oom(CLI::App& app, Action& action);
void add_run(CLI::App& app, Action& action);
void add_recover(CLI::App& app, Action& action);

}  // namespace dualgpuopt::memory::cli
