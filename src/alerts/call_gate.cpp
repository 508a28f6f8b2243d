#include "dualgpuopt/memory/alerts/call_gate.h"

#include <algorithm>

namespace dualgpuopt::memory {

CallGate::Pass CallGate::enter() {
  const MutexLock lock(mutex_);
  if (closed_) return Pass(nullptr);
  callers_.push_back(std::this_thread::get_id());
  return Pass(this);
}

void CallGate::close() {
  {
    const MutexLock lock(mutex_);
    if (closed_) return;
    closed_ = true;
    callers_.push_back(std::this_thread::get_id());
  }
  leave();  // as a caller of its own, so that it releases if there is no other
}

void CallGate::wait_for_calls() {
  const MutexLock lock(mutex_);
  if (is_within_call()) return;
  while (!callers_.empty()) left_.wait(mutex_);
}

void CallGate::leave() {
  const auto release = leave_or_take_release();
  if (!release) return;
  release();  // still counted as a caller, so that wait_for_calls() waits for this too
  (void)leave_or_take_release();
}

std::function<void()> CallGate::leave_or_take_release() {
  const MutexLock lock(mutex_);
  if (closed_ && release_ && callers_.size() == 1) return std::exchange(release_, nullptr);
  callers_.erase(std::find(callers_.begin(), callers_.end(), std::this_thread::get_id()));
  left_.notify_all();
  return nullptr;
}

bool CallGate::is_within_call() const {
  return std::find(callers_.begin(), callers_.end(), std::this_thread::get_id()) != callers_.end();
}

}  // namespace dualgpuopt::memory
