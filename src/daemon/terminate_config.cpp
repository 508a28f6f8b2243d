#include "daemon/terminate_config.h"

namespace dualgpuopt::memory {
namespace {

template <typename T>
void set(T& setting, const std::optional<T>& value) {
  if (value) setting = *value;
}

/// A list of texts that `parse` understands.
template <typename T>
void set_list(std::vector<T>& setting, const TomlTable& table, std::string_view key,
              Result<T> (*parse)(std::string_view)) {
  const auto texts = table.texts(key);
  if (!texts) return;
  setting.clear();
  for (const auto& text : *texts) {
    auto value = parse(text);
    if (!value) return table.refuse(key, value.error().message());
    setting.push_back(*std::move(value));
  }
}

void read_unit(VictimUnit& unit, const TomlTable& table) {
  const auto text = table.text("unit");
  if (!text) return;
  const auto value = parse_victim_unit(*text);
  if (!value) return table.refuse("unit", value.error().message());
  unit = *value;
}

void read_victims(VictimPolicy& victims, const TomlTable& table) {
  set_list(victims.order, table, "order", parse_victim_order);
  set_list(victims.prefer, table, "prefer", parse_process_pattern);
  set_list(victims.avoid, table, "avoid", parse_process_pattern);
  set_list(victims.only, table, "only", parse_process_pattern);
  set_list(victims.groups, table, "groups", parse_process_pattern);
  set(victims.only_users, table.texts("only_users"));
  set(victims.never_users, table.texts("never_users"));
  set(victims.protect, table.texts("protect"));
  set(victims.minimum, table.bytes("minimum"));
  read_unit(victims.unit, table);
}

}  // namespace

void read_terminate(TerminatePolicy& policy, const TomlTable& table) {
  table.allow_only({"enabled", "execute", "order", "prefer", "avoid", "only", "only_users", "never_users", "minimum",
                    "unit", "groups", "protect", "grace", "wait", "pre_hook", "pre_hook_limit", "growth_window"});
  set(policy.enabled, table.flag("enabled"));
  if (const auto execute = table.flag("execute")) policy.mode = *execute ? ActionMode::Execute : ActionMode::DryRun;
  read_victims(policy.victims, table);
  set(policy.grace, table.duration("grace"));
  set(policy.wait, table.duration("wait"));
  set(policy.pre_hook, table.text("pre_hook"));
  set(policy.pre_hook_limit, table.duration("pre_hook_limit"));
  set(policy.growth_window, table.duration("growth_window"));
}

}  // namespace dualgpuopt::memory
