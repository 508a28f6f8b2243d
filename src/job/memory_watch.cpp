#include "job/memory_watch.h"

#include <utility>

namespace dualgpuopt::memory::job {

bool MemoryWatch::wait_until_open(Duration patience) {
  if (!opening_.valid()) return true;
  if (opening_.wait_for(patience) != std::future_status::ready) return false;
  auto opened = opening_.get();
  if (opened) {
    monitor_ = std::move(*opened);
  } else {
    failure_ = opened.error().describe();
  }
  return true;
}

std::string MemoryWatch::why_none() const {
  if (monitor_) return "";
  return failure_.empty() ? "the driver had not opened yet" : failure_;
}

void MemoryWatch::start() {
  subscription_ =
      monitor_->subscribe(Level::Warning, LevelFilter::AtOrAbove, [inbox = inbox_](const MemoryAlert& alert) {
        const MutexLock lock(inbox->mutex);
        inbox->alerts.push_back(alert);
      });
  monitor_->start();
}

std::shared_ptr<const Snapshot> MemoryWatch::take_news() {
  if (!wait_until_open(Duration::zero()) || !monitor_) return nullptr;
  if (!subscription_) start();
  auto snapshot = monitor_->snapshot();
  if (snapshot->sequence == seen_) return nullptr;
  seen_ = snapshot->sequence;
  Lists lists;
  for (const auto& device : snapshot->devices) lists.emplace_back(device.processes, to_string(device.status));
  return std::exchange(lists_, lists) == lists ? nullptr : snapshot;
}

std::vector<MemoryAlert> MemoryWatch::take_alerts() {
  const MutexLock lock(inbox_->mutex);
  return std::exchange(inbox_->alerts, {});
}

void MemoryWatch::set_process_interval(Duration interval) {
  if (!subscription_ || interval == std::exchange(interval_, interval)) return;
  monitor_->set_process_interval(interval);
}

}  // namespace dualgpuopt::memory::job
