#include "fakes/nvml/story/part_reader.h"

#include <algorithm>

#include "core/format.h"

namespace nvml_fake {
namespace {

using dualgpuopt::memory::format_text;
using dualgpuopt::memory::MotionKind;
using dualgpuopt::memory::parse_motion_kind;

constexpr auto kExpectedDuration = R"(a duration, as in "20s")";

void require_keys_of(MotionKind kind, const StoryTable& table) {
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

std::optional<MotionKind> read_motion_kind(const StoryTable& table) {
  table.require("kind", "step, ramp, sawtooth, leak or noise");
  const auto text = table.text("kind");
  if (!text) return std::nullopt;
  const auto kind = parse_motion_kind(*text);
  if (kind) return *kind;
  table.refuse("kind", kind.error().message());
  return std::nullopt;
}

Motion read_motion(const StoryTable& table) {
  Motion motion;
  const auto kind = read_motion_kind(table);
  if (!kind) return motion;
  motion.kind = *kind;
  require_keys_of(*kind, table);
  table.require("amount", R"(a size, as in "2GiB" or "-512MiB")");
  motion.at = table.duration("at").value_or(Duration{});
  motion.lasting = table.duration("lasting").value_or(Duration{});
  motion.period = table.duration("period").value_or(Duration{});
  if (table.has("period") && motion.period == Duration{}) table.refuse("period", "expected more than 0");
  motion.amount = table.signed_bytes("amount").value_or(0);
  if (motion.kind == MotionKind::Noise && motion.amount < 0) table.refuse("amount", "noise goes both ways: no sign");
  return motion;
}

std::vector<Motion> read_motions(const StoryTable& table, const std::string& title) {
  std::vector<Motion> motions;
  for (const auto& motion : table.list("motion", format_text("[[{}.motion]]", title))) {
    motions.push_back(read_motion(motion));
  }
  return motions;
}

Lists read_lists(const StoryTable& table) {
  const auto names = table.texts("lists");
  if (!names) return {};
  Lists lists{false, false, false};
  for (const auto& name : *names) {
    if (name == "compute") {
      lists.compute = true;
    } else if (name == "graphics") {
      lists.graphics = true;
    } else if (name == "mps") {
      lists.mps = true;
    } else {
      table.refuse("lists", R"(expected "compute", "graphics" or "mps")");
    }
  }
  return lists;
}

Process read_process(const StoryTable& table, const std::string& title) {
  table.allow_only({"pid", "name", "lists", "start", "stop", "motion", "memory", "real", "lingers"});
  table.require("pid", "a whole number, as in 4711");
  Process process;
  process.pid = table.number("pid", 0).value_or(0);
  process.name = table.text("name").value_or("");
  process.lists = read_lists(table);
  process.span = read_span(table);
  process.memory = table.truth("memory").value_or(true) ? MemoryKnown::Yes : MemoryKnown::No;
  process.real = table.truth("real").value_or(false);
  process.lingers = table.duration("lingers").value_or(Duration{});
  if (table.has("lingers") && !process.real) table.refuse("lingers", "expected real = true with it");
  process.motions = read_motions(table, title);
  return process;
}

bool is_taken(const Process& process, const std::vector<Process>& others) {
  return std::any_of(others.begin(), others.end(), [&](const Process& other) {
    return other.pid == process.pid && other.span.overlaps(process.span);
  });
}

void read_processes(const StoryTable& table, const std::string& title, Part& part) {
  const auto name = format_text("{}.process", title);
  for (const auto& process_table : table.list("process", format_text("[[{}]]", name))) {
    auto process = read_process(process_table, name);
    if (is_taken(process, part.processes)) {
      process_table.refuse("pid", format_text("{} belongs to another process at the same time", process.pid));
    }
    part.processes.push_back(std::move(process));
  }
  if (part.processes.size() > kNvmlFakeProcesses) {
    table.refuse("process", format_text("expected at most {} processes", int{kNvmlFakeProcesses}));
  }
}

std::string read_text(const StoryTable& table, std::string_view key, std::string otherwise) {
  auto text = table.text(key);
  if (text && text->size() >= kNvmlFakeText) {
    table.refuse(key, format_text("expected at most {} characters", kNvmlFakeText - 1));
  }
  return text ? *text : std::move(otherwise);
}

}  // namespace

Span read_span(const StoryTable& table) {
  Span span{table.duration("start").value_or(Duration{}), table.duration("stop")};
  if (span.stop && *span.stop <= span.start) table.refuse("stop", "expected a time after the start");
  return span;
}

void read_part(const StoryTable& table, const std::string& title, Part& part) {
  part.name = read_text(table, "name", part.name);
  part.uuid = read_text(table, "uuid", part.uuid);
  part.total = table.bytes("total").value_or(part.total);
  if (part.total == 0) table.refuse("total", "expected more than 0");
  const auto reserved = table.bytes("reserved");
  part.reserved = reserved.value_or(std::min(part.reserved, part.total / 16));
  if (part.reserved > part.total) table.refuse("reserved", "expected no more than the total");
  part.motions = read_motions(table, title);
  read_processes(table, title, part);
}

}  // namespace nvml_fake
