#include "dualgpuopt/memory/daemon/config.h"

#include <array>

#include "core/format.h"
#include "daemon/terminate_config.h"
#include "metrics/parse_enum.h"
#include "sources/text_file.h"
#include "sources/toml_table.h"

namespace dualgpuopt::memory {
namespace {

constexpr std::size_t kLargestFile = 1U << 20;

template <typename T>
void set(T& setting, const std::optional<T>& value) {
  if (value) setting = *value;
}

/// The enumerator that the text under `key` names; `parse` gives the error that lists the names.
template <typename Enum>
void set_named(Enum& setting, const TomlTable& table, std::string_view key, Result<Enum> (*parse)(std::string_view)) {
  const auto text = table.text(key);
  if (!text) return;
  const auto value = parse(*text);
  if (value) {
    setting = *value;
  } else {
    table.refuse(key, value.error().message());
  }
}

Result<Verification> parse_verification(std::string_view text) {
  return parse_enum(text, "a kind of verification", std::array{Verification::Measured, Verification::Callback});
}
Result<DispatchOrder> parse_dispatch(std::string_view text) {
  return parse_enum(text, "an order of dispatch", std::array{DispatchOrder::Independent, DispatchOrder::RecoveryFirst});
}
Result<ActionMode> parse_mode(std::string_view text) {
  return parse_enum(text, "a mode", std::array{ActionMode::DryRun, ActionMode::Execute});
}

void read_polling(PollingConfig& polling, const TomlTable& table) {
  table.allow_only({"usual", "shortest", "longest", "processes", "rescan"});
  set(polling.usual, table.duration("usual"));
  set(polling.shortest, table.duration("shortest"));
  set(polling.longest, table.duration("longest"));
  set(polling.processes, table.duration("processes"));
  set(polling.rescan, table.duration("rescan"));
}

void read_level(LevelThreshold& threshold, const TomlTable& thresholds, const std::string& name) {
  const auto table = thresholds.table(name, format_text("[thresholds.{}]", name));
  if (!table) return;
  table->allow_only({"percent", "lowest", "highest", "free", "minimum_duration", "time_to_oom"});
  set(threshold.percent, table->percent("percent"));
  set(threshold.range.lowest, table->percent("lowest"));
  set(threshold.range.highest, table->percent("highest"));
  if (const auto free = table->bytes("free")) threshold.free = free;
  set(threshold.minimum_duration, table->duration("minimum_duration"));
  if (const auto time = table->duration("time_to_oom")) {
    threshold.time_to_oom = *time == Duration::zero() ? std::nullopt : std::optional(Seconds(*time));
  }
}

void read_thresholds(AlertThresholds& thresholds, const TomlTable& table) {
  table.allow_only({"warning", "critical", "emergency", "adaptive", "hysteresis", "forecast_hold", "repeat_interval"});
  read_level(thresholds.warning, table, "warning");
  read_level(thresholds.critical, table, "critical");
  read_level(thresholds.emergency, table, "emergency");
  set(thresholds.adaptive, table.flag("adaptive"));
  set(thresholds.hysteresis_percent, table.percent("hysteresis"));
  set(thresholds.forecast_hold, table.duration("forecast_hold"));
  set(thresholds.repeat_interval, table.duration("repeat_interval"));
}

void read_rungs(std::vector<RecoveryStrategy>& rungs, const TomlTable& table) {
  const auto names = table.texts("rungs");
  if (!names) return;
  rungs.clear();
  for (const auto& name : *names) {
    const auto strategy = parse_recovery_strategy(name);
    if (!strategy) return table.refuse("rungs", strategy.error().message());
    rungs.push_back(*strategy);
  }
}

void read_limits(LadderConfig& ladder, const TomlTable& parent, RecoveryStrategy rung) {
  const std::string name(to_string(rung));
  const auto table = parent.table(name, format_text("[ladder.{}]", name));
  if (!table) return;
  table->allow_only({"time_limit", "settle", "from", "by_forecast", "attempts", "rest"});
  auto& limits = ladder.limits[rung];
  if (const auto limit = table->duration("time_limit")) limits.time_limit = *limit;
  if (const auto settle = table->duration("settle")) limits.settle = *settle;
  set_named(limits.from, *table, "from", parse_level);
  set(limits.by_forecast, table->flag("by_forecast"));
  if (const auto attempts = table->whole_number("attempts", 0, 1000))
    limits.attempts = static_cast<unsigned>(*attempts);
  set(limits.rest, table->duration("rest"));
}

void read_ladder(LadderConfig& ladder, const TomlTable& table) {
  table.allow_only({"rungs", "trigger", "target", "by_forecast", "forecast_margin", "terminate_above", "settle",
                    "cooldown", "rung_time_limit", "verification", "mode", "clear_cache", "reduce_batch", "offload",
                    "terminate"});
  for (const auto rung : {RecoveryStrategy::ClearCache, RecoveryStrategy::ReduceBatch, RecoveryStrategy::Offload,
                          RecoveryStrategy::Terminate}) {
    read_limits(ladder, table, rung);
  }
  read_rungs(ladder.rungs, table);
  set_named(ladder.trigger, table, "trigger", parse_level);
  set(ladder.target_percent, table.percent("target"));
  set(ladder.by_forecast, table.flag("by_forecast"));
  set(ladder.forecast_margin, table.duration("forecast_margin"));
  set(ladder.terminate_above_percent, table.percent("terminate_above"));
  set(ladder.settle, table.duration("settle"));
  set(ladder.cooldown, table.duration("cooldown"));
  set(ladder.rung_time_limit, table.duration("rung_time_limit"));
  set_named(ladder.verification, table, "verification", parse_verification);
  set_named(ladder.mode, table, "mode", parse_mode);
}

void read_document(MonitorConfig& config, const TomlTable& document) {
  document.allow_only({"polling", "thresholds", "ladder", "terminate", "forecast", "dispatch"});
  if (const auto table = document.table("polling", "[polling]")) read_polling(config.polling, *table);
  if (const auto table = document.table("thresholds", "[thresholds]")) read_thresholds(config.thresholds, *table);
  if (const auto table = document.table("ladder", "[ladder]")) read_ladder(config.ladder, *table);
  if (const auto table = document.table("terminate", "[terminate]")) read_terminate(config.terminate, *table);
  if (const auto table = document.table("forecast", "[forecast]")) {
    table->allow_only({"horizon"});
    set(config.horizon, table->duration("horizon"));
  }
  if (const auto table = document.table("dispatch", "[dispatch]")) {
    table->allow_only({"order"});
    set_named(config.dispatch, *table, "order", parse_dispatch);
  }
}

}  // namespace

Result<MonitorConfig> parse_config(std::string_view text) {
  const auto document = parse_toml(text);
  if (!document) return fail(document.error());
  MonitorConfig config;
  TomlTable::FirstError error;
  read_document(config, TomlTable(*document, "the configuration", error));
  if (error) return fail(*std::move(error));
  if (auto valid = config.validate(); !valid) return fail(std::move(valid.error()));
  return config;
}

Result<MonitorConfig> load_config(const std::filesystem::path& file) {
  const auto text = read_text_file(file, kLargestFile);
  auto config = text ? parse_config(*text) : fail(text.error());
  if (!config) return fail(std::move(config.error()).with_context(file.string()));
  return config;
}

}  // namespace dualgpuopt::memory
