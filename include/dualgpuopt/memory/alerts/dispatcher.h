// Brings alerts to the subscribers they are for.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "dualgpuopt/memory/alerts/callback_list.h"
#include "dualgpuopt/memory/alerts/delivery_queue.h"
#include "dualgpuopt/memory/alerts/memory_alert.h"
#include "dualgpuopt/memory/alerts/subscription.h"

namespace dualgpuopt::memory {

/// Which alerts a subscriber to a level hears; the filter looks at MemoryAlert::level, the level that is raised,
/// repeated or cleared, and never at the level in force.
///
/// AtOrAbove(Warning) therefore hears everything, and whoever wants to know how a device's trouble ends subscribes so.
/// Exactly(Critical) hears nothing of a device that jumps from normal to emergency and back: those alerts are
/// emergency's. When a device climbs from critical to emergency and falls back to normal at once, it hears the raising
/// and no clearing; when a device falls from emergency to critical, it hears no raising, but the repeats and the
/// clearing. Exactly(Normal) hears nothing at all.
enum class LevelFilter { Exactly, AtOrAbove };

/// Whether a subscriber hears alerts of `alert_level`.
[[nodiscard]] bool passes(LevelFilter filter, Level subscribed, Level alert_level);

using AlertCallback = std::function<void(const MemoryAlert&)>;

/// What became of the alerts. The queue's numbers are those of all that share it.
struct AlertCounters {
  std::uint64_t delivered = 0;         ///< Alerts given to all their subscribers, by post() and by deliver().
  std::uint64_t failed_callbacks = 0;  ///< Calls that ended in an exception.
  DeliveryCounters queue;

  friend bool operator==(const AlertCounters&, const AlertCounters&) = default;
};

/// Delivers alerts on the queue's thread (post) or on the caller's (deliver). Thread-safe. What CallbackList says of
/// callbacks and Subscriptions, and DeliveryQueue of the thread and of stopping, holds here.
class AlertDispatcher {
 public:
  /// Without a queue the dispatcher makes its own; with one it can share the thread, and the order of events, with
  /// other publishers. `on_error` hears of callbacks that throw; it must own what it uses.
  explicit AlertDispatcher(std::shared_ptr<DeliveryQueue> queue = nullptr, CallbackErrorHook on_error = {});
  AlertDispatcher(const AlertDispatcher&) = delete;
  AlertDispatcher& operator=(const AlertDispatcher&) = delete;
  /// Ends all subscriptions and, where it is not shared, the queue. Waits for no callback; none begins any more.
  ~AlertDispatcher();

  Subscription subscribe(Level level, LevelFilter filter, AlertCallback callback);

  /// For the sampler: queues the alert and returns. Where the queue is full, a repeated alert replaces the waiting
  /// repeat of the same device and level; raised and cleared ones are never left out.
  void post(MemoryAlert alert);

  /// Calls the subscribers on this thread before it returns: for stepping, and for ordered dispatch. Works whether or
  /// not the queue is stopped.
  void deliver(const MemoryAlert& alert) const;

  /// As DeliveryQueue says, and for all that share the queue. An alert that is being delivered reaches no further
  /// subscriber after stop().
  void stop() { queue_->stop(); }
  void start() { queue_->start(); }
  [[nodiscard]] bool wait_until_idle(Duration timeout) const { return queue_->wait_until_idle(timeout); }

  [[nodiscard]] AlertCounters counters() const;

 private:
  struct Subscribers;

  std::shared_ptr<DeliveryQueue> queue_;
  std::shared_ptr<Subscribers> subscribers_;
};

}  // namespace dualgpuopt::memory
