#include "dualgpuopt/memory/monitor/decision_log.h"

#include <utility>

namespace dualgpuopt::memory {

void DecisionLog::add(Decision decision) {
  const MutexLock lock(mutex_);
  if (decisions_.size() == kRemembered) decisions_.pop_front();
  decisions_.push_back(std::move(decision));
}

std::vector<Decision> DecisionLog::all() const {
  const MutexLock lock(mutex_);
  return {decisions_.begin(), decisions_.end()};
}

}  // namespace dualgpuopt::memory
