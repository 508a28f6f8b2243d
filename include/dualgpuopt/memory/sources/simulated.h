// Simulated devices from a small text scenario, for tests, demonstrations and trying out policies.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "dualgpuopt/memory/sources/memory_source.h"

namespace dualgpuopt::memory {

/// How a process's memory moves from `at` on. Amounts of all segments of a process add up; below zero counts as zero.
enum class MotionKind {
  Step,      ///< jumps by `amount` at once
  Ramp,      ///< grows by `amount` evenly over `lasting`, then stays
  Sawtooth,  ///< every `period` grows from 0 to `amount`, then falls back, for `lasting` (for good if zero)
  Leak,      ///< grows by `amount` every `period`, evenly, for `lasting` (for good if zero)
  Noise,     ///< adds a random amount within +/- `amount`, held for `period`, repeatable by the scenario's seed
};

struct Motion {
  MotionKind kind = MotionKind::Step;
  Duration at{};
  Duration lasting{};
  Duration period{};
  SignedBytes amount = 0;
};

struct SimulatedProcess {
  pid_t pid = 0;
  std::string name;
  Duration start{};              ///< Holds no memory and is not listed before.
  std::optional<Duration> stop;  ///< Nor from here on.
  std::vector<Motion> motions;
};

struct SimulatedDevice {
  std::string name;
  Bytes total = 0;
  Bytes reserved = 0;
  std::vector<SimulatedProcess> processes;
};

/// A scenario: the devices and everything that happens on them. What does not fit into a device is cut off at its
/// capacity, as an allocator would refuse it.
struct Scenario {
  std::string title;
  std::uint64_t seed = 1;
  std::optional<Duration> repeat_every;  ///< The story starts again after this long.
  std::vector<SimulatedDevice> devices;
};

/// Reads a scenario from TOML; docs/scenarios.md has the format with an example. Errors name line and key.
[[nodiscard]] Result<Scenario> parse_scenario(std::string_view text);
[[nodiscard]] Result<Scenario> load_scenario(const std::filesystem::path& file);

/// The scenario built in under a name; NotFound lists the names there are. "demo": training on GPU 0, a model server
/// that leaks on GPU 1, from calm to emergency within two minutes.
[[nodiscard]] Result<Scenario> builtin_scenario(std::string_view name);

/// Plays a scenario by the clock: a pure function of scenario and time.
class SimulatedSource final : public MemorySource {
 public:
  SimulatedSource(Scenario scenario, const Clock& clock);

  [[nodiscard]] std::string_view name() const override { return "sim"; }
  [[nodiscard]] Provenance provenance() const override { return Provenance::Simulated; }
  [[nodiscard]] Result<std::vector<Device>> enumerate() override;
  [[nodiscard]] Reading read(int gpu, ReadDetail detail) override;

 private:
  Scenario scenario_;
  const Clock& clock_;
};

}  // namespace dualgpuopt::memory
