// Hands events to user code on a thread of its own, so that whoever has the news waits for nobody.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>

#include "dualgpuopt/memory/core/clock.h"

namespace dualgpuopt::memory {

/// What became of the posted deliveries: each is delivered, coalesced, dropped, or still waiting or running.
struct DeliveryCounters {
  std::uint64_t delivered = 0;      ///< Ran to their end.
  std::uint64_t coalesced = 0;      ///< Repeats that a newer one replaced.
  std::uint64_t dropped = 0;        ///< Waiting at a stop, or posted after it.
  std::uint64_t over_capacity = 0;  ///< Taken in although the queue was full, because they may not be lost.

  friend bool operator==(const DeliveryCounters&, const DeliveryCounters&) = default;
};

/// Runs deliveries one at a time, in the order of posting, on one thread that starts with the first of them.
/// Thread-safe. Posting waits for no delivery: it shares one short lock with the other methods, and that is never held
/// while user code runs. One queue may serve several publishers, which then share its order.
///
/// A delivery may do anything to the queue, also stop or destroy it. A delivery that never returns keeps the queue's
/// one thread; stopping and destroying go on without it, and nothing that thread touches dies under it.
class DeliveryQueue {
 public:
  /// One event's way to its subscribers. Must not throw (CallbackList does not). The token says when to end early.
  using Delivery = std::function<void(const std::stop_token&)>;

  /// `capacity` is how many may wait before repeats coalesce.
  explicit DeliveryQueue(std::size_t capacity = 1024);
  DeliveryQueue(const DeliveryQueue&) = delete;
  DeliveryQueue& operator=(const DeliveryQueue&) = delete;
  ~DeliveryQueue();

  /// Adds a delivery that must not be lost. The queue may exceed its capacity for it; that is counted.
  void post(Delivery delivery);

  /// Adds a delivery that a newer one with the same key makes needless: where the queue is full, the oldest one waiting
  /// under this key is left out. Publishers that share a queue agree on the keys.
  void post_repeat(std::uint64_t key, Delivery delivery);

  /// Returns at once, without waiting for a running delivery; its token asks it to end. What waits is dropped, and so
  /// is what is posted from now on. Whoever wants the rest delivered calls wait_until_idle() before. Idempotent.
  void stop();

  /// Takes deliveries again after a stop(). One that still runs since then is waited for by those to come: never two
  /// at a time.
  void start();

  /// Waits until nothing waits or runs. Returns false when that takes longer than `timeout`, and at once when called
  /// from within a delivery, which would wait for itself.
  [[nodiscard]] bool wait_until_idle(Duration timeout) const;

  [[nodiscard]] DeliveryCounters counters() const;

 private:
  class State;

  void start_thread();

  std::shared_ptr<State> state_;
};

}  // namespace dualgpuopt::memory
