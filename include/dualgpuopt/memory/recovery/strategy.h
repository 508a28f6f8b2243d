// What an application registers to free memory.
#pragma once

#include <functional>
#include <map>
#include <stop_token>
#include <string>

#include "dualgpuopt/memory/metrics/decision.h"

namespace dualgpuopt::memory {

/// What a strategy is asked: free memory on one device.
struct RecoveryRequest {
  int gpu = 0;
  RecoveryStrategy strategy = RecoveryStrategy::ClearCache;
  Reading reading;          ///< The newest measurement.
  Bytes target_used = 0;    ///< Occupied bytes to get down to.
  Bytes bytes_to_free = 0;  ///< Occupied now minus the target; 0 if already there.
  MonoTime deadline;        ///< When the rung's time is up.
  std::stop_token stop;     ///< Requested when the time is up or the monitor stops: give up what you can.
};

/// What a strategy answers. `succeeded` is its own word; with measured verification only the driver's count decides.
struct StrategyAnswer {
  bool succeeded = false;
  std::string detail;  ///< For the record: "emptied the cache of 2 pools".
};

/// Runs on a thread of the recovery worker, never on the sampler. May throw: that is a failed rung.
using RecoveryCallback = std::function<StrategyAnswer(const RecoveryRequest&)>;

/// The registered strategies: one a kind, the last registered wins.
using StrategySet = std::map<RecoveryStrategy, RecoveryCallback>;

}  // namespace dualgpuopt::memory
