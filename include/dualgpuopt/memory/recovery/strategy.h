// What an application registers to free memory.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "dualgpuopt/memory/metrics/decision.h"

namespace dualgpuopt::memory {

/// What a strategy is asked: free memory on one device.
struct RecoveryRequest {
  int gpu = 0;
  RecoveryStrategy strategy = RecoveryStrategy::ClearCache;
  Reading reading;          ///< The newest measurement.
  Bytes target_used = 0;    ///< Occupied bytes to get down to.
  Bytes bytes_to_free = 0;  ///< Occupied now minus the target; 0 if already there.
  MonoTime deadline;        ///< When the rung's time is up, on the monitor's clock.
  std::stop_token stop;     ///< Requested when the time is up or the monitor stops: give up what you can. A
                            ///< std::stop_callback on it runs on the recovery worker: it must not block or throw.
};

/// What a strategy answers. `succeeded` is its own word; with measured verification only the driver's count decides.
struct StrategyAnswer {
  bool succeeded = false;
  std::string detail;                      ///< For the record: "emptied the cache of 2 pools".
  std::vector<Candidate> candidates = {};  ///< For the record, where there was a choice; the best first.
};

/// Runs on a thread of its own, never on the sampler, and never twice at a time for one strategy. May throw: that is a
/// failed rung. May register strategies. It is kept alive until a running call of it returns, so what it refers to
/// must live as long: capture by value or by shared_ptr.
using RecoveryCallback = std::function<StrategyAnswer(const RecoveryRequest&)>;

}  // namespace dualgpuopt::memory
