// A port that outlives what it measures through.
#pragma once

#include <memory>

#include "dualgpuopt/memory/core/clock.h"
#include "dualgpuopt/memory/core/mutex.h"
#include "dualgpuopt/memory/metrics/memory_port.h"

namespace dualgpuopt::memory {

/// Measures through the port that is connected now, and answers as unavailable while none is. For strategies, which may
/// be abandoned and then go on after the monitor has stopped, or is gone. Thread-safe.
class SwitchedPort final : public MemoryPort {
 public:
  SwitchedPort(std::shared_ptr<const Clock> clock, Provenance provenance)
      : clock_(std::move(clock)), provenance_(provenance) {}

  [[nodiscard]] Reading measure(int gpu, ReadDetail detail) override;

  /// `port` must live until disconnect() has returned.
  void connect(MemoryPort& port);
  /// Waits for measurements that are under way; the port should answer them soon.
  void disconnect();

 private:
  void leave();

  const std::shared_ptr<const Clock> clock_;
  const Provenance provenance_;
  Mutex mutex_;
  Condition left_;
  MemoryPort* port_ DUALGPUOPT_GUARDED_BY(mutex_) = nullptr;
  int inside_ DUALGPUOPT_GUARDED_BY(mutex_) = 0;
};

}  // namespace dualgpuopt::memory
