// Simulated devices that play a scenario, for tests, demonstrations and trying out policies.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "dualgpuopt/memory/sources/memory_source.h"
#include "dualgpuopt/memory/sources/scenario.h"

namespace dualgpuopt::memory {

/// Plays a scenario by the clock, whose origin is the scenario's beginning: a reading is a pure function of scenario
/// and time, so that two sources with equal scenarios agree whatever was read before. Devices have the keys "sim-0",
/// "sim-1", …; processes have no start time, so that none of them can be mistaken for a process of this machine.
/// Thread-safe.
class SimulatedSource final : public MemorySource {
 public:
  /// `clock` must outlive the source.
  SimulatedSource(Scenario scenario, const Clock& clock) : scenario_(std::move(scenario)), clock_(clock) {}

  [[nodiscard]] std::string_view name() const override { return "sim"; }
  [[nodiscard]] Provenance provenance() const override { return Provenance::Simulated; }
  [[nodiscard]] Result<std::vector<Device>> enumerate() override;
  [[nodiscard]] Reading read(int gpu, ReadDetail detail) override;
  [[nodiscard]] const Scenario& scenario() const { return scenario_; }

 private:
  const Scenario scenario_;
  const Clock& clock_;
};

}  // namespace dualgpuopt::memory
