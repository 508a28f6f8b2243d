// The scenarios that come with the library, written as their readers would write them.
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "core/format.h"
#include "dualgpuopt/memory/sources/scenario.h"

namespace dualgpuopt::memory {
namespace {

struct BuiltinScenario {
  std::string_view name;
  std::string_view toml;
};

// GPU 0 stays between 60 and 75 % once its training runs: busy, and no reason for an alert. GPU 1 leaks slowly enough
// to be foreseen, passes 80, 90 and 95 % before 110 s, is full for a moment, and dies.
constexpr std::string_view kDemo = R"toml(
title = "A training run beside a model server that leaks"
seed = 7
repeat_every = "130s"

[[gpu]]
name = "Simulated 24 GiB A"
total = "24GiB"
reserved = "400MiB"

[[gpu.process]]
pid = 4101
name = "train.py"
stop = "128s"
motion = [
  {kind = "ramp", at = "2s", lasting = "8s", amount = "9GiB"},       # the weights
  {kind = "step", at = "12s", amount = "5.3GiB"},                    # gradients and the optimizer's state
  {kind = "sawtooth", at = "14s", period = "5s", amount = "1.9GiB"}, # activations
  {kind = "noise", at = "14s", period = "1s", amount = "120MiB"},
  {kind = "step", at = "44s", amount = "700MiB"},                    # the first evaluation
  {kind = "step", at = "52s", amount = "-700MiB"},
  {kind = "step", at = "84s", amount = "700MiB"},                    # the second
  {kind = "step", at = "92s", amount = "-700MiB"},
]

[[gpu]]
name = "Simulated 24 GiB B"
total = "24GiB"
reserved = "400MiB"

[[gpu.process]]
pid = 4202
name = "embedder"
motion = [{kind = "step", amount = "1GiB"}]

[[gpu.process]]
pid = 4203
name = "model-server"
stop = "122s"
motion = [
  {kind = "ramp", at = "1s", lasting = "14s", amount = "13GiB"},     # the weights
  {kind = "leak", at = "20s", period = "1s", amount = "100MiB"},     # what requests leave behind
  {kind = "sawtooth", at = "18s", period = "7s", amount = "500MiB"}, # bursts of requests
  {kind = "noise", at = "18s", period = "1s", amount = "60MiB"},
]
)toml";

constexpr std::array kBuiltinScenarios{BuiltinScenario{"demo", kDemo}};

}  // namespace

std::vector<std::string_view> builtin_scenario_names() {
  std::vector<std::string_view> names;
  names.reserve(kBuiltinScenarios.size());
  for (const auto& builtin : kBuiltinScenarios) names.push_back(builtin.name);
  return names;
}

Result<Scenario> builtin_scenario(std::string_view name) {
  const auto* builtin = std::find_if(kBuiltinScenarios.begin(), kBuiltinScenarios.end(),
                                     [&](const BuiltinScenario& candidate) { return candidate.name == name; });
  if (builtin != kBuiltinScenarios.end()) return parse_scenario(builtin->toml);
  return fail(ErrorCode::NotFound, format_text("there is no built-in scenario {:?}; there is {}", name,
                                               fmt::join(builtin_scenario_names(), ", ")));
}

}  // namespace dualgpuopt::memory
