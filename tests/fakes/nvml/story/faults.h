// Which faults there are now, and what they make of a call.
#pragma once

#include "fakes/nvml/story/scenario.h"

namespace nvml_fake {

/// What a call is about: a GPU, a MIG instance of it, or neither.
struct Target {
  std::optional<unsigned> gpu;
  std::optional<unsigned> slot;
};

/// A call as faults see it.
struct CallSite {
  const char* symbol;
  NvmlFakeCall call;
};

enum class Verdict { Answer, Fail, Hang };

struct Judgement {
  Verdict verdict = Verdict::Answer;
  int code = 0;
  std::optional<Duration> hangs_until;  ///< Empty for a hang without an end.
  unsigned live_version = 0;            ///< Of the live control that said so; 0 if it was the scenario.
};

/// The faults of a scenario, or those of the live control; their times count from `origin`.
class Faults {
 public:
  Faults() = default;
  Faults(std::vector<Fault> faults, Duration origin, std::uint64_t seed)
      : faults_(std::move(faults)), origin_(origin), random_(seed) {}

  /// Draws where a fault has a probability. A hang counts before a failure, the first written before others.
  [[nodiscard]] Judgement judge(const CallSite& site, const Target& target, Duration now);
  /// The first fault of this kind that concerns the target now.
  [[nodiscard]] const Fault* find(FaultKind kind, const Target& target, Duration now) const;

 private:
  [[nodiscard]] bool is_active(const Fault& fault, Duration now) const { return fault.span.contains(now - origin_); }
  [[nodiscard]] bool happens(const Fault& fault);
  [[nodiscard]] Judgement hang(const Fault& fault) const;

  std::vector<Fault> faults_;
  Duration origin_{};
  std::uint64_t random_ = 1;
};

}  // namespace nvml_fake
