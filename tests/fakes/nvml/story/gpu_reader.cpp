#include "fakes/nvml/story/gpu_reader.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "core/format.h"
#include "dualgpuopt/memory/sources/trace.h"
#include "fakes/nvml/story/gpu_defaults.h"
#include "fakes/nvml/story/part_reader.h"

namespace nvml_fake {
namespace {

using dualgpuopt::memory::Trace;
using Path = std::filesystem::path;

constexpr unsigned kMostSlots = 7;
constexpr std::array<std::string_view, 4> kGpuKinds{"plain", "mig", "gb10", "wsl"};
constexpr std::array<std::string_view, 3> kEventKinds{"xid", "ecc_single", "ecc_double"};

/// Hexadecimal digits up to `end`, which is taken away with them.
std::optional<unsigned> take_hex(std::string_view& text, char end) {
  unsigned number = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number, 16);
  text.remove_prefix(static_cast<std::size_t>(rest - text.data()));
  if (error != std::errc{} || text.empty() || text.front() != end) return std::nullopt;
  text.remove_prefix(1);
  return number;
}

PciAddress read_pci(const StoryTable& table, PciAddress otherwise) {
  const auto address = table.text("pci");
  if (!address) return otherwise;
  std::string_view text = *address;
  const auto domain = take_hex(text, ':');
  const auto bus = take_hex(text, ':');
  const auto device = take_hex(text, '.');
  if (domain && bus && device && text == "0") return {*domain, *bus, *device};
  table.refuse("pci", R"(expected an address, as in "0000:01:00.0")");
  return otherwise;
}

std::vector<TracePoint> points_of(const Trace& trace, int gpu) {
  std::vector<TracePoint> points;
  for (const auto& reading : trace.readings) {
    if (reading.gpu == gpu && reading.memory)
      points.push_back({reading.time.mono.time_since_epoch(), reading.memory->used});
  }
  return points;
}

std::vector<TracePoint> read_trace(const StoryTable& table, const Path& folder, unsigned index) {
  const auto file = table.text("trace");
  if (!file) return {};
  const auto trace = dualgpuopt::memory::load_trace(folder / *file);
  if (!trace) {
    table.refuse("trace", trace.error().describe());
    return {};
  }
  auto points = points_of(*trace, static_cast<int>(index));
  return points.empty() ? points_of(*trace, trace->devices.front().gpu) : points;
}

/// Watts, as milliwatts.
void read_power(const StoryTable& table, std::string_view key, unsigned& milliwatts) {
  if (const auto watts = table.number(key, 0, 100'000)) milliwatts = *watts * 1000;
}

void read_telemetry(const StoryTable& gpu_table, NvmlFakeTelemetry& telemetry) {
  const auto table = gpu_table.inner("telemetry", "[gpu.telemetry]");
  if (!table) return;
  table->allow_only({"temperature", "power", "power_limit", "utilization", "memory_utilization", "fan"});
  telemetry.temperature = table->number("temperature", 0, 200).value_or(telemetry.temperature);
  read_power(*table, "power", telemetry.power);
  read_power(*table, "power_limit", telemetry.power_limit);
  telemetry.gpu_percent = table->number("utilization", 0, 100).value_or(telemetry.gpu_percent);
  telemetry.memory_percent = table->number("memory_utilization", 0, 100).value_or(telemetry.memory_percent);
  telemetry.fan_percent = table->number("fan", 0, 100).value_or(telemetry.fan_percent);
}

Instance read_instance(const StoryTable& table, const Gpu& gpu, unsigned index) {
  table.allow_only({"slot", "uuid", "name", "total", "reserved", "gpu_instance", "compute_instance", "start", "stop",
                    "motion", "process"});
  table.require("slot", "the number of the slot, from 0");
  auto instance = default_instance(gpu, index, table.number("slot", 0, kMostSlots - 1).value_or(0));
  read_part(table, "gpu.instance", instance.part);
  instance.gpu_instance = table.number("gpu_instance").value_or(instance.gpu_instance);
  instance.compute_instance = table.number("compute_instance").value_or(0);
  instance.span = read_span(table);
  return instance;
}

void read_instances(const StoryTable& table, unsigned index, Gpu& gpu) {
  for (const auto& instance_table : table.list("instance", "[[gpu.instance]]")) {
    auto instance = read_instance(instance_table, gpu, index);
    const bool taken = std::any_of(gpu.instances.begin(), gpu.instances.end(), [&](const Instance& other) {
      return other.slot == instance.slot && other.span.overlaps(instance.span);
    });
    if (taken) instance_table.refuse("slot", "taken by another instance at the same time");
    gpu.instances.push_back(std::move(instance));
  }
  if (!gpu.instances.empty() && gpu.kind != GpuKind::Mig) table.refuse("kind", "only \"mig\" has instances");
}

std::vector<Event> read_events(const StoryTable& table) {
  std::vector<Event> events;
  for (const auto& event_table : table.list("event", "[[gpu.event]]")) {
    event_table.allow_only({"at", "kind", "code"});
    event_table.require("kind", "xid, ecc_single or ecc_double");
    Event event;
    event.at = event_table.duration("at").value_or(Duration{});
    event.kind = static_cast<EventKind>(event_table.word("kind", kEventKinds).value_or(0));
    event.code = event_table.number("code").value_or(0);
    events.push_back(event);
  }
  std::stable_sort(events.begin(), events.end(), [](const Event& a, const Event& b) { return a.at < b.at; });
  return events;
}

}  // namespace

Gpu read_gpu(const StoryTable& table, unsigned index, const Path& folder) {
  table.allow_only({"kind", "name", "uuid", "pci", "total", "reserved", "accounting", "ecc", "telemetry", "trace",
                    "motion", "process", "instance", "event"});
  auto gpu = default_gpu(static_cast<GpuKind>(table.word("kind", kGpuKinds).value_or(0)), index);
  gpu.pci = read_pci(table, gpu.pci);
  gpu.accounting = table.truth("accounting").value_or(false);
  read_telemetry(table, gpu.telemetry);
  read_part(table, "gpu", gpu.part);
  gpu.part.trace = read_trace(table, folder, index);
  read_instances(table, index, gpu);
  gpu.events = read_events(table);
  const auto is_ecc = [](const Event& event) { return event.kind != EventKind::Xid; };
  gpu.ecc = table.truth("ecc").value_or(gpu.ecc || std::any_of(gpu.events.begin(), gpu.events.end(), is_ecc));
  return gpu;
}

}  // namespace nvml_fake
