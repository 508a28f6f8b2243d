// A scenario as it unfolds: writes into the state what the driver would answer now, and judges each call.
#pragma once

#include "fakes/nvml/story/faults.h"
#include "fakes/nvml/story/live.h"
#include "fakes/nvml/story/real_processes.h"
#include "fakes/nvml/story/scenario.h"

namespace nvml_fake {

class Story {
 public:
  /// `live` is the file of the live control; empty for none.
  Story(Scenario scenario, const std::filesystem::path& live);
  Story(const Story&) = delete;
  Story& operator=(const Story&) = delete;

  /// Replaces all devices by those of the scenario, as they are before anything happens.
  void stage(NvmlFakeState& state);

  /// What is quickly told, for all devices: which are there, which events there were.
  void advance(NvmlFakeState& state, Duration now);

  /// Memory, processes and accounting of one device; `wall_origin_us` is the world's time at the story's beginning.
  void fill(NvmlFakeState& state, unsigned device, Duration now, unsigned long long wall_origin_us);

  /// What becomes of a call about a device, or about none.
  [[nodiscard]] Judgement judge(const CallSite& site, std::optional<unsigned> device, Duration now);
  /// Whether a call that was judged to hang does so still.
  [[nodiscard]] bool still_hangs(const Judgement& judgement, Duration now) const;
  [[nodiscard]] bool is_lost(unsigned device, Duration now) const;
  /// How long a function takes.
  [[nodiscard]] Duration latency(std::string_view symbol) const;
  /// The name of a process that the scenario knows by this PID; empty if none has one.
  [[nodiscard]] std::string process_name(unsigned pid, Duration now) const;

 private:
  /// A device of the state.
  struct Place {
    Target target;
    const Part* part = nullptr;
    const Instance* instance = nullptr;  ///< Null for a GPU.
    std::optional<Duration> filled_at;
    unsigned filled_version = 0;
  };
  struct PlannedEvent {
    Event event;
    unsigned device = 0;
  };

  [[nodiscard]] const Gpu& gpu_of(const Place& place) const { return scenario_.gpus[*place.target.gpu]; }
  [[nodiscard]] const Fault* find_fault(FaultKind kind, const Place& place, Duration now) const;
  [[nodiscard]] static Duration elapsed(const Place& place, Duration now);
  [[nodiscard]] PartOverride overrides_of(const Place& place, Duration now);
  [[nodiscard]] PartUse use_of(const Place& place, Duration now);
  void fill_gpu(NvmlFakeState& state, unsigned device, Duration now);
  void fill_accounts(NvmlFakeDevice& device, const Place& place, Duration now, unsigned long long wall_origin_us) const;
  void set_instances(NvmlFakeState& state, Duration now) const;
  void emit_events(NvmlFakeState& state, Duration now);

  Scenario scenario_;
  std::optional<LiveControl> live_;
  RealProcesses real_;
  Faults faults_;
  std::vector<Place> places_;  ///< By index into the state's devices.
  std::vector<PlannedEvent> events_;
  std::size_t next_event_ = 0;
};

}  // namespace nvml_fake
