#include "dualgpuopt/memory/alerts/dispatcher.h"

#include <atomic>
#include <utility>

namespace dualgpuopt::memory {
namespace {

/// One device at one level.
std::uint64_t repeat_key(const MemoryAlert& alert) {
  constexpr unsigned kLevelBits = 8;
  return static_cast<std::uint64_t>(alert.gpu) << kLevelBits | static_cast<std::uint64_t>(alert.level);
}

using Counter = std::atomic<std::uint64_t>;

CallbackErrorHook counting(std::shared_ptr<Counter> failures, CallbackErrorHook on_error) {
  return [failures = std::move(failures), on_error = std::move(on_error)](const std::string& what) {
    ++*failures;
    if (on_error) on_error(what);
  };
}

}  // namespace

bool passes(LevelFilter filter, Level subscribed, Level alert_level) {
  return filter == LevelFilter::Exactly ? alert_level == subscribed : alert_level >= subscribed;
}

/// What a running delivery needs, also when the dispatcher is gone.
struct AlertDispatcher::Subscribers {
  explicit Subscribers(CallbackErrorHook on_error) : callbacks(counting(failed, std::move(on_error))) {}

  void deliver(const MemoryAlert& alert, const std::stop_token& stop) {
    callbacks.deliver(alert, stop);
    ++delivered;
  }

  Counter delivered = 0;
  std::shared_ptr<Counter> failed = std::make_shared<Counter>(0);
  CallbackList<MemoryAlert> callbacks;
};

AlertDispatcher::AlertDispatcher(std::shared_ptr<DeliveryQueue> queue, CallbackErrorHook on_error)
    : queue_(queue ? std::move(queue) : std::make_shared<DeliveryQueue>()),
      subscribers_(std::make_shared<Subscribers>(std::move(on_error))) {}

AlertDispatcher::~AlertDispatcher() { subscribers_->callbacks.clear(); }

Subscription AlertDispatcher::subscribe(Level level, LevelFilter filter, AlertCallback callback) {
  return subscribers_->callbacks.subscribe([level, filter, callback = std::move(callback)](const MemoryAlert& alert) {
    if (passes(filter, level, alert.level)) callback(alert);
  });
}

void AlertDispatcher::post(MemoryAlert alert) {
  const bool is_repeat = alert.event == AlertEvent::Repeated;
  const auto key = repeat_key(alert);
  DeliveryQueue::Delivery delivery = [subscribers = std::weak_ptr(subscribers_),
                                      alert = std::move(alert)](const std::stop_token& stop) {
    if (const auto alive = subscribers.lock()) alive->deliver(alert, stop);
  };
  is_repeat ? queue_->post_repeat(key, std::move(delivery)) : queue_->post(std::move(delivery));
}

void AlertDispatcher::deliver(const MemoryAlert& alert) const {
  const auto alive = subscribers_;  // a callback may destroy the dispatcher
  alive->deliver(alert, {});
}

AlertCounters AlertDispatcher::counters() const {
  return {subscribers_->delivered, *subscribers_->failed, queue_->counters()};
}

}  // namespace dualgpuopt::memory
