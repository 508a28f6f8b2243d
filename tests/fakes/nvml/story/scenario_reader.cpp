
#include <array>

#include "core/format.h"
#include "fakes/nvml/story/fault_reader.h"
#include "fakes/nvml/story/gpu_reader.h"
#include "fakes/nvml/story/scenario.h"
#include "fakes/nvml/symbols.h"

namespace nvml_fake {
namespace {

using namespace std::chrono_literals;
using dualgpuopt::memory::fail;
using dualgpuopt::memory::format_text;
using Path = std::filesystem::path;

using Latencies = std::map<std::string, Duration, std::less<>>;

/// What the calls took on one machine (MangoHud#2104).
Latencies measured_latencies() {
  return {{"MemoryInfo", 11600ns},
          {"ComputeRunningProcesses", 4500us},
          {"GraphicsRunningProcesses", 4500us},
          {"MPSComputeRunningProcesses", 4500us},
          {"UtilizationRates", 2500ns}};
}

Latencies read_latencies(const StoryTable& table) {
  if (!table.has("latency")) return {};
  if (table.is_text("latency")) {
    const auto preset = table.word("latency", std::array<std::string_view, 2>{"none", "measured"});
    return preset == std::size_t{1} ? measured_latencies() : Latencies{};
  }
  const auto calls = table.inner("latency", "[latency]");
  if (!calls) return {};
  Latencies latencies;
  for (const auto& call : calls->keys()) {
    if (!names_a_call(call)) calls->refuse(call, "expected a function, as in MemoryInfo");
    latencies[call] = calls->duration(call).value_or(Duration{});
  }
  return latencies;
}

std::string read_driver(const StoryTable& table) {
  const auto driver = table.inner("driver", "[driver]");
  if (!driver) return "";
  driver->allow_only({"version"});
  return driver->text("version").value_or("").substr(0, kNvmlFakeText - 1);
}

bool fits(const std::vector<Gpu>& gpus) {
  auto devices = gpus.size();
  for (const auto& gpu : gpus) devices += gpu.instances.size();
  return devices <= kNvmlFakeDevices;
}

Scenario read_root(const StoryTable& table, const Path& folder) {
  table.allow_only({"title", "seed", "latency", "driver", "gpu", "fault"});
  Scenario scenario;
  static_cast<void>(table.text("title"));
  scenario.seed = table.number("seed").value_or(1);
  scenario.latencies = read_latencies(table);
  scenario.driver_version = read_driver(table);
  for (const auto& gpu : table.list("gpu", "[[gpu]]")) {
    scenario.gpus.push_back(read_gpu(gpu, static_cast<unsigned>(scenario.gpus.size()), folder));
  }
  if (!fits(scenario.gpus)) table.refuse("gpu", format_text("expected at most {} devices", int{kNvmlFakeDevices}));
  scenario.faults = read_faults(table, scenario.gpus);
  return scenario;
}

}  // namespace

Result<Scenario> read_scenario(std::string_view text, const Path& folder) {
  const auto document = dualgpuopt::memory::parse_toml(text);
  if (!document) return fail(document.error());
  StoryTable::FirstError error;
  auto scenario = read_root(StoryTable(*document, "the scenario", error), folder);
  if (error) return fail(std::move(*error));
  return scenario;
}

}  // namespace nvml_fake
