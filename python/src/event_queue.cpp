#include "event_queue.h"

#include <algorithm>
#include <iterator>

namespace dualgpuopt::memory::python {
namespace {

bool is_older_repeat(const Event& waiting, const Event& fresh) {
  const auto* before = std::get_if<MemoryAlert>(&waiting);
  const auto* now = std::get_if<MemoryAlert>(&fresh);
  return before != nullptr && now != nullptr && before->event == AlertEvent::Repeated &&
         now->event == AlertEvent::Repeated && before->gpu == now->gpu && before->level == now->level;
}

}  // namespace

void EventQueue::push(Event event) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    const auto repeat = std::find_if(events_.begin(), events_.end(),
                                     [&](const Event& waiting) { return is_older_repeat(waiting, event); });
    if (repeat != events_.end()) events_.erase(repeat);
    events_.push_back(std::move(event));
  }
  pushed_.notify_all();
}

std::vector<Event> EventQueue::take(std::chrono::nanoseconds timeout) {
  std::unique_lock lock(mutex_);
  pushed_.wait_for(lock, timeout, [this] { return closed_ || !events_.empty(); });
  std::vector<Event> taken(std::make_move_iterator(events_.begin()), std::make_move_iterator(events_.end()));
  events_.clear();
  return taken;
}

void EventQueue::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  pushed_.notify_all();
}

}  // namespace dualgpuopt::memory::python
