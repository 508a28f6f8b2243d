#include "monitor/recovery_worker.h"

#include <utility>

namespace dualgpuopt::memory {

RecoveryWorker::RecoveryWorker(RecoveryLadder& ladder, MemoryPort& port, Clock& clock, Outlets outlets)
    : ladder_(ladder), port_(port), clock_(clock), outlets_(std::move(outlets)) {
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

RecoveryWorker::~RecoveryWorker() {
  thread_.request_stop();
  {
    const MutexLock lock(mutex_);
    arrived_.notify_all();
  }
  thread_.join();
}

void RecoveryWorker::post(EngineEvent event) {
  const MutexLock lock(mutex_);
  if (event.climb && !climbing_.insert(event.gpu).second) event.climb.reset();
  if (!event.climb && !event.alert) return;
  events_.push_back(std::move(event));
  arrived_.notify_one();
}

void RecoveryWorker::run(const std::stop_token& stop) {
  while (auto event = wait_for_event(stop)) work_on(std::move(*event), stop);
}

std::optional<EngineEvent> RecoveryWorker::wait_for_event(const std::stop_token& stop) {
  const MutexLock lock(mutex_);
  while (events_.empty() && !stop.stop_requested()) arrived_.wait(mutex_);
  if (stop.stop_requested()) return std::nullopt;
  auto event = std::move(events_.front());
  events_.pop_front();
  return event;
}

void RecoveryWorker::work_on(EngineEvent event, const std::stop_token& stop) {
  if (event.climb) {
    if (ladder_.is_due(*event.climb, clock_.now())) {
      outlets_.on_decision(ladder_.climb(*event.climb, port_, clock_, stop));
    }
    const MutexLock lock(mutex_);
    climbing_.erase(event.gpu);
  }
  if (event.alert) outlets_.on_alert(std::move(*event.alert), stop);
}

}  // namespace dualgpuopt::memory
