// Subscribing to events, and leaving again, safely from any thread and from within a callback.
#pragma once

#include <functional>
#include <utility>

namespace dualgpuopt::memory {

/// Holds one registration; ends it when destroyed. Cancelling waits for a call of the callback that is running on
/// another thread, so hold no lock that the callback takes; it does not wait when called from within the callback
/// itself. Afterwards the callback is not called again. Cancelling twice, or after the publisher is gone, is harmless.
/// Movable; one owner, who alone may use it at a time.
class [[nodiscard]] Subscription {
 public:
  Subscription() = default;
  explicit Subscription(std::function<void()> cancel) : cancel_(std::move(cancel)) {}
  Subscription(Subscription&& other) noexcept : cancel_(std::exchange(other.cancel_, nullptr)) {}
  Subscription& operator=(Subscription&& other) noexcept {
    if (this != &other) {
      cancel();
      cancel_ = std::exchange(other.cancel_, nullptr);
    }
    return *this;
  }
  ~Subscription() { cancel(); }

  void cancel() {
    if (const auto end = std::exchange(cancel_, nullptr)) end();
  }
  /// Leaves the callback registered for as long as the publisher lives.
  void release() { cancel_ = nullptr; }

 private:
  std::function<void()> cancel_;
};

}  // namespace dualgpuopt::memory
