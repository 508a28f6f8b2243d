#include "monitor/rescan_policy.h"

#include <algorithm>
#include <utility>

namespace dualgpuopt::memory {

bool RescanPolicy::is_due(MonoTime now, bool all_can_be_read) {
  const bool is_new_failure = !all_can_be_read && !back_off_;
  if (all_can_be_read) back_off_.reset();
  const auto patience = std::min(interval_, back_off_.value_or(interval_));
  if (!std::exchange(asked_, false) && !is_new_failure && now - last_ < patience) return false;
  last_ = now;
  if (!all_can_be_read) back_off_ = back_off_ ? std::min<Duration>(*back_off_ * 2, kLongestBackOff) : kFirstBackOff;
  return true;
}

}  // namespace dualgpuopt::memory
