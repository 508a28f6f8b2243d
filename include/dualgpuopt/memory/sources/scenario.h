// Scenarios: what simulated devices hold and how it changes, and reading that from a small text.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dualgpuopt/memory/core/clock.h"
#include "dualgpuopt/memory/core/error.h"
#include "dualgpuopt/memory/core/units.h"

namespace dualgpuopt::memory {

/// How a process's memory moves. The motions of a process add up; a sum below zero counts as zero.
enum class MotionKind {
  Step,      ///< Jumps by `amount` at once and stays there.
  Ramp,      ///< Grows by `amount` evenly over `lasting`, then stays.
  Sawtooth,  ///< In every `period` grows evenly from 0 towards `amount`, then falls back to 0; 0 when it is over.
  Leak,      ///< Grows by `amount` every `period`, evenly; stays when it is over.
  Noise,     ///< A random amount within +/- `amount`, drawn anew every `period`; 0 when it is over.
};
[[nodiscard]] std::string_view to_string(MotionKind kind);
/// Reads "step", "ramp", … in any letter case.
[[nodiscard]] Result<MotionKind> parse_motion_kind(std::string_view text);

/// One motion of a process. `amount` may be negative, except that noise uses its magnitude.
struct Motion {
  MotionKind kind = MotionKind::Step;
  Duration at{};       ///< When it begins, counted from the start of its process; before that it adds nothing.
  Duration lasting{};  ///< Sawtooth, leak, noise: zero is for as long as the process runs. Ramp: zero is a step.
  Duration period{};   ///< Sawtooth, leak, noise; they do nothing when it is zero.
  SignedBytes amount = 0;
};

/// A process that exists only in the simulation; its PID names nothing on this machine.
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
  Bytes reserved = 0;  ///< At most `total`.
  std::vector<SimulatedProcess> processes;
};

/// The devices and everything that happens on them. What does not fit into a device's capacity (total - reserved) is
/// cut off, as an allocator would refuse it: processes are served in the order in which they are written, so the last
/// ones go short.
struct Scenario {
  std::string title;
  std::uint64_t seed = 1;                ///< Of the noise: equal seeds give equal noise, on every machine.
  std::optional<Duration> repeat_every;  ///< The story starts again after this long, with other noise.
  std::vector<SimulatedDevice> devices;
};

/// Reads a scenario from TOML; docs/scenarios.md has the format with an example. Errors (ParseFailed) name line, column
/// and key, the text that is wrong and what was expected; a key that is not known is an error too.
[[nodiscard]] Result<Scenario> parse_scenario(std::string_view text);
/// parse_scenario of a file of at most 1 MiB; errors (also NotFound, Io) carry its name.
[[nodiscard]] Result<Scenario> load_scenario(const std::filesystem::path& file);

/// The scenario built in under a name; NotFound lists the names there are. "demo": training on GPU 0, a model server
/// that leaks on GPU 1, from calm to emergency within two minutes, and again.
[[nodiscard]] Result<Scenario> builtin_scenario(std::string_view name);
[[nodiscard]] std::vector<std::string_view> builtin_scenario_names();

}  // namespace dualgpuopt::memory
