#include "dualgpuopt/memory/sources/scenario.h"

#include <algorithm>
#include <array>
#include <limits>

#include "core/format.h"
#include "metrics/parse_enum.h"
#include "sources/text_file.h"
#include "sources/toml_table.h"

namespace dualgpuopt::memory {
namespace {

constexpr std::size_t kLargestFile = 1U << 20;
constexpr std::array kMotionKinds{MotionKind::Step, MotionKind::Ramp, MotionKind::Sawtooth, MotionKind::Leak,
                                  MotionKind::Noise};

constexpr std::string_view kExpectedKind = "step, ramp, sawtooth, leak or noise";
constexpr std::string_view kExpectedDuration = "a duration, as in \"20s\"";

bool is_periodic(MotionKind kind) { return kind != MotionKind::Step && kind != MotionKind::Ramp; }

std::optional<MotionKind> read_kind(const TomlTable& table) {
  table.require("kind", kExpectedKind);
  const auto text = table.text("kind");
  if (!text) return std::nullopt;
  const auto kind = parse_motion_kind(*text);
  if (!kind) {
    table.refuse("kind", kind.error().message());
    return std::nullopt;
  }
  return *kind;
}

void allow_keys_of(MotionKind kind, const TomlTable& table) {
  if (kind == MotionKind::Step) {
    table.allow_only({"kind", "at", "amount"});
  } else if (kind == MotionKind::Ramp) {
    table.allow_only({"kind", "at", "lasting", "amount"});
    table.require("lasting", kExpectedDuration);
  } else {
    table.allow_only({"kind", "at", "lasting", "period", "amount"});
    table.require("period", kExpectedDuration);
  }
}

Motion read_motion(const TomlTable& table) {
  Motion motion;
  const auto kind = read_kind(table);
  if (!kind) return motion;
  motion.kind = *kind;
  allow_keys_of(*kind, table);
  table.require("amount", R"(a size, as in "2GiB" or "-512MiB")");

  motion.at = table.duration("at").value_or(Duration::zero());
  motion.lasting = table.duration("lasting").value_or(Duration::zero());
  const auto period = table.duration("period");
  if (period && is_periodic(*kind) && *period == Duration::zero()) table.refuse("period", "expected more than 0");
  motion.period = period.value_or(Duration::zero());
  motion.amount = table.signed_bytes("amount").value_or(0);
  if (*kind == MotionKind::Noise && motion.amount < 0) table.refuse("amount", "noise goes both ways: expected no sign");
  return motion;
}

SimulatedProcess read_process(const TomlTable& table) {
  table.allow_only({"pid", "name", "start", "stop", "motion"});
  table.require("pid", "a whole number, as in 4711");
  table.require("name", "the name of the program, as in \"python3\"");

  SimulatedProcess process;
  process.pid = static_cast<pid_t>(table.whole_number("pid", 1, std::numeric_limits<pid_t>::max()).value_or(0));
  process.name = table.text("name").value_or("");
  process.start = table.duration("start").value_or(Duration::zero());
  process.stop = table.duration("stop");
  if (process.stop && *process.stop <= process.start) table.refuse("stop", "expected a time after the start");
  for (const auto& motion : table.tables("motion", "[[gpu.process.motion]]")) {
    process.motions.push_back(read_motion(motion));
  }
  return process;
}

bool runs_together(const SimulatedProcess& a, const SimulatedProcess& b) {
  return (!a.stop || b.start < *a.stop) && (!b.stop || a.start < *b.stop);
}

bool is_taken(const SimulatedProcess& process, const std::vector<SimulatedProcess>& others) {
  return std::any_of(others.begin(), others.end(), [&](const SimulatedProcess& other) {
    return other.pid == process.pid && runs_together(other, process);
  });
}

SimulatedDevice read_device(const TomlTable& table) {
  table.allow_only({"name", "total", "reserved", "process"});
  table.require("total", "the size of the GPU's memory, as in \"24GiB\"");

  SimulatedDevice device;
  device.name = table.text("name").value_or("Simulated GPU");
  const auto total = table.bytes("total");
  if (total == Bytes{0}) table.refuse("total", "expected more than 0");
  device.total = total.value_or(0);
  device.reserved = table.bytes("reserved").value_or(0);
  if (device.reserved > device.total && total) table.refuse("reserved", "expected no more than the total");
  for (const auto& process_table : table.tables("process", "[[gpu.process]]")) {
    auto process = read_process(process_table);
    if (process.pid > 0 && is_taken(process, device.processes)) {
      process_table.refuse("pid", format_text("{} belongs to another process at the same time", process.pid));
    }
    device.processes.push_back(std::move(process));
  }
  return device;
}

Scenario read_scenario(const TomlTable& table) {
  table.allow_only({"title", "seed", "repeat_every", "gpu"});

  Scenario scenario;
  scenario.title = table.text("title").value_or("");
  scenario.seed =
      static_cast<std::uint64_t>(table.whole_number("seed", 0, std::numeric_limits<std::int64_t>::max()).value_or(1));
  scenario.repeat_every = table.duration("repeat_every");
  if (scenario.repeat_every == Duration::zero()) table.refuse("repeat_every", "expected more than 0");
  for (const auto& device : table.tables("gpu", "[[gpu]]")) scenario.devices.push_back(read_device(device));
  if (scenario.devices.empty()) table.refuse("gpu", "expected at least one [[gpu]]");
  return scenario;
}

}  // namespace

std::string_view to_string(MotionKind kind) {
  switch (kind) {
    case MotionKind::Step: return "step";
    case MotionKind::Ramp: return "ramp";
    case MotionKind::Sawtooth: return "sawtooth";
    case MotionKind::Leak: return "leak";
    case MotionKind::Noise: return "noise";
  }
  return "unknown";
}

Result<MotionKind> parse_motion_kind(std::string_view text) {
  return parse_enum(text, "a kind of motion", kMotionKinds);
}

Result<Scenario> parse_scenario(std::string_view text) {
  const auto document = parse_toml(text);
  if (!document) return fail(document.error());
  TomlTable::FirstError error;
  auto scenario = read_scenario(TomlTable(*document, "the scenario", error));
  if (error) return fail(std::move(*error));
  return scenario;
}

Result<Scenario> load_scenario(const std::filesystem::path& file) {
  const auto text = read_text_file(file, kLargestFile);
  auto scenario = text ? parse_scenario(*text) : Result<Scenario>(fail(text.error()));
  if (!scenario) return fail(std::move(scenario.error()).with_context(format_text("scenario {:?}", file.string())));
  return scenario;
}

}  // namespace dualgpuopt::memory
