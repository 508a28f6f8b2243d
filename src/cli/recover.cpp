
#include <thread>

#include "cli/command.h"
#include "cli/recover_report.h"
#include "core/format.h"
#include "dualgpuopt/memory/metrics/json.h"
#include "dualgpuopt/memory/recovery/relief.h"

namespace dualgpuopt::memory::cli {
namespace {

constexpr Duration kPatience = std::chrono::seconds(6);  // for the first reading of a driver that has opened
constexpr Duration kLookForSignal = std::chrono::milliseconds(50);

struct RecoverOptions {
  SourceChoice source;
  int gpu = 0;
  std::string target;
  std::string config;
  std::vector<std::string> order;
  std::vector<std::string> prefer;
  std::vector<std::string> avoid;
  std::vector<std::string> users;
  std::vector<std::string> commands;
  std::string grace;
  std::string pre_hook;
  std::string pre_hook_limit;
  bool execute = false;
  bool json = false;
};

/// Puts the values of an option over what a file said; errors name the option.
template <typename T>
Result<void> put_list(std::vector<T>& setting, const char* option, const std::vector<std::string>& texts,
                      Result<T> (*parse)(std::string_view)) {
  if (!texts.empty()) setting.clear();
  for (const auto& text : texts) {
    auto value = parse(text);
    if (!value) return fail(Error(value.error()).with_context(option));
    setting.push_back(*std::move(value));
  }
  return {};
}

Result<void> put_duration(Duration& setting, const char* option, const std::string& text) {
  const auto value = parse_optional_duration(option, text);
  if (!value) return fail(value.error());
  if (*value) setting = **value;
  return {};
}

/// A command of --command is a pattern over commands; who matches none of them is left alone.
Result<ProcessPattern> parse_command(std::string_view glob) {
  if (glob.empty()) return fail(ErrorCode::ParseFailed, "expected a command, as in \"*train.py*\"");
  return ProcessPattern{PatternField::Command, std::string(glob)};
}

Result<TerminatePolicy> resolve_policy(const RecoverOptions& options, TerminatePolicy policy) {
  if (!options.users.empty()) policy.victims.only_users = options.users;
  if (!options.pre_hook.empty()) policy.pre_hook = options.pre_hook;
  policy.mode = options.execute ? ActionMode::Execute : ActionMode::DryRun;
  auto put =
      put_list(policy.victims.order, "--order", options.order, parse_victim_order)
          .and_then([&] { return put_list(policy.victims.only, "--command", options.commands, parse_command); })
          .and_then([&] { return put_list(policy.victims.prefer, "--prefer", options.prefer, parse_process_pattern); })
          .and_then([&] { return put_list(policy.victims.avoid, "--avoid", options.avoid, parse_process_pattern); })
          .and_then([&] { return put_duration(policy.grace, "--grace", options.grace); })
          .and_then([&] { return put_duration(policy.pre_hook_limit, "--pre-hook-limit", options.pre_hook_limit); })
          .and_then([&] { return policy.validate(); });
  if (!put) return fail(std::move(put.error()));
  return policy;
}

/// What a monitor needs that only looks: it climbs no ladder of its own while this command acts.
MonitorConfig only_looking(MonitorConfig config) {
  config.terminate.enabled = false;
  config.ladder.rungs.clear();
  return config;
}

/// The device as the monitor knows it, once it has been read.
Result<DeviceSnapshot> find_device(const MemoryMonitor& monitor, int gpu) {
  const SystemClock clock;
  auto snapshot = monitor.wait_for_snapshot(0, kPatience);
  const auto* device = snapshot->find(gpu);
  while (device != nullptr && device->is_awaited && clock.now().time_since_epoch() < kPatience) {
    snapshot = monitor.wait_for_snapshot(snapshot->sequence, kPatience - clock.now().time_since_epoch());
    device = snapshot->find(gpu);
  }
  if (device == nullptr) {
    return fail(ErrorCode::InvalidArgument,
                format_text("--gpu {}: there is no such GPU; gpumem status lists those there are", gpu));
  }
  if (device->device->kind == DeviceKind::Partitioned) {
    return fail(ErrorCode::InvalidArgument,
                format_text("--gpu {}: its memory belongs to its instances; name one of them", gpu));
  }
  return *device;
}

Result<Bytes> target_of(const RecoverOptions& options, const Reading& reading) {
  if (!reading.ok()) return fail(ErrorCode::Unavailable, format_text("GPU {}: {}", options.gpu, reading.reason));
  if (const auto percent = parse_percent(options.target)) {
    if (!reading.memory->total)
      return fail(ErrorCode::Unavailable, "the GPU's total is not known: give bytes to --target");
    return static_cast<Bytes>(*percent / 100 * static_cast<double>(*reading.memory->total));
  }
  const auto bytes = parse_bytes(options.target);
  if (bytes) return *bytes;
  return fail(ErrorCode::ParseFailed,
              format_text("--target: cannot read {}: expected a percentage from 0% to 100%, or bytes, as in 12GiB",
                          in_quotes(options.target)));
}

/// The request of this moment, by a reading that was begun after the monitor had begun.
Result<ReliefRequest> request_of(const RecoverOptions& options, const MemoryMonitor& monitor) {
  const auto device = find_device(monitor, options.gpu);
  if (!device) return fail(device.error());
  ReliefRequest request;
  request.gpu = options.gpu;
  request.level = device->level;
  request.evidence = monitor.port()->measure(options.gpu, ReadDetail::MemoryAndProcesses);
  const auto target = target_of(options, request.evidence);
  if (!target) return fail(target.error());
  request.target_used = *target;
  return request;
}

/// Asks for the stop once the process is told to end.
void request_at_signal(std::stop_source& stop, const std::stop_token& end) {
  SystemClock clock;
  while (clock.sleep_until(clock.now() + kLookForSignal, end)) {
    if (StopSignals::requested()) stop.request_stop();
  }
}

/// A dry run is what was asked for, whatever it would come to.
int exit_code(const Decision& decision) {
  switch (decision.end) {
    case DecisionEnd::TargetReached:
    case DecisionEnd::NothingToDo:
    case DecisionEnd::DryRun: return kFine;
    default: return kFailure;
  }
}

int act(const RecoverOptions& options, const TerminatePolicy& policy, MemoryMonitor& monitor) {
  auto request = request_of(options, monitor);
  if (!request) return report(request.error());
  const StopSignals signals;
  std::stop_source stop;
  request->stop = stop.get_token();
  const std::jthread watcher([&stop](const std::stop_token& end) { request_at_signal(stop, end); });
  const auto clock = std::make_shared<SystemClock>();
  Terminator terminator(policy, monitor.port(), make_system_processes(), clock);
  const auto decision = relieve(terminator, *request, *clock);
  Output output;
  const auto written = output.write(options.json ? to_json(decision) + "\n" : describe_relief(decision));
  return written ? exit_code(decision) : report(written.error());
}

int recover(const RecoverOptions& options) {
  MonitorOptions file_only;
  file_only.config = options.config;
  const auto config = file_only.resolve();
  if (!config) return report(config.error());
  const auto policy = resolve_policy(options, config->terminate);
  if (!policy) return report(policy.error());
  const auto monitor = open_monitor(options.source, only_looking(*config));
  if (!monitor) return report(monitor.error());
  (*monitor)->start();
  const int code = act(options, *policy, **monitor);
  (*monitor)->stop();
  return code;
}

}  // namespace

void add_recover(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand(
      "recover",
      "Free a GPU's memory now by ending processes, one after another; says only what it would do without --execute");
  const auto options = std::make_shared<RecoverOptions>();
  options->source.add_to(*command);
  command->add_option("--gpu", options->gpu, "Which GPU, as gpumem status numbers them")->required();
  command->add_option("--target", options->target, "Until no more than this is used, as in 80% or 12GiB")->required();
  command->add_option("--config", options->config, "The policy, from the table [terminate] of a TOML file");
  command
      ->add_option("--order", options->order, "largest, newest, fastest_growing, lowest_priority; several with commas")
      ->delimiter(',');
  command->add_option("--user", options->users, "Only processes of these users");
  command->add_option("--command", options->commands, "Only these commands, as in \"*train.py*\"");
  command->add_option("--prefer", options->prefer, "These first, as in user:guest or \"command:*notebook*\"");
  command->add_option("--avoid", options->avoid, "These last");
  command->add_option("--grace", options->grace, "Between TERM and KILL; 5s if not given");
  command->add_option("--pre-hook", options->pre_hook, "Run this before TERM, with GPUMEM_PID in its environment");
  command->add_option("--pre-hook-limit", options->pre_hook_limit, "End it after this; 5s if not given");
  command->add_flag("--execute", options->execute, "Do it");
  command->add_flag("--json", options->json, "Print the decision as a JSON line, as docs/json.md describes it");
  command->footer("Example: gpumem recover --gpu 0 --target 80% --order newest --avoid user:root");
  command->callback([&action, options] { action = [options] { return recover(*options); }; });
}

}  // namespace dualgpuopt::memory::cli
