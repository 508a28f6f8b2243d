// The past of one device, filled by the sampler while others look into it.
#pragma once

#include <optional>
#include <vector>

#include "dualgpuopt/memory/core/mutex.h"
#include "dualgpuopt/memory/metrics/history.h"

namespace dualgpuopt::memory {

/// A History that others may look into while the sampler fills it. The sampler never waits for them: what comes while
/// somebody looks is set aside and added with the next sample.
class SharedHistory {
 public:
  void add(MonoTime time, Bytes used);
  [[nodiscard]] std::vector<HistoryPoint> points(HistoryTier tier, MonoTime since) const;
  [[nodiscard]] std::optional<WindowSummary> summary(Duration window, MonoTime now) const;
  [[nodiscard]] std::optional<Bytes> percentile(double percent, Duration window, MonoTime now) const;

 private:
  struct Sample {
    MonoTime time;
    Bytes used = 0;
  };

  mutable Mutex mutex_;
  History history_ DUALGPUOPT_GUARDED_BY(mutex_);
  std::vector<Sample> set_aside_;  // the sampler's own
};

}  // namespace dualgpuopt::memory
