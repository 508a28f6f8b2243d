// Callbacks that several threads register, cancel and call at once.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "dualgpuopt/memory/alerts/call_gate.h"
#include "dualgpuopt/memory/alerts/subscription.h"
#include "dualgpuopt/memory/core/mutex.h"

namespace dualgpuopt::memory {

/// Hears what an exception said that left a callback. It is called on the delivering thread, by several at once if
/// several deliver, and even after the list is gone, by a call that was still running then: it must own what it uses.
/// What it throws itself is lost. May be empty.
using CallbackErrorHook = std::function<void(const std::string& what)>;

/// For a catch (...) around a callback: hands the exception's text to `hook`. The end of a thread (pthread_exit, which
/// also Python uses while it shuts down) is no error and goes on.
void report_current_exception(const CallbackErrorHook& hook);

/// The subscribers of one kind of event. Thread-safe, also while it delivers. A callback may do anything: take long,
/// throw, deliver, subscribe, cancel its own or any other subscription, destroy the list.
///
/// Cancelling a Subscription waits for a running call of that callback on another thread, and of no other; then the
/// callback is destroyed, and no lock of the caller's may be one that the callback takes. Within the callback it does
/// not wait; the callback is destroyed when its call ends. Two callbacks that run on two threads and cancel one
/// another would wait for ever: where callbacks cancel others, deliver from one thread.
template <typename Value>
class CallbackList {
 public:
  using Callback = std::function<void(const Value&)>;

  explicit CallbackList(CallbackErrorHook on_error = {}) : state_(std::make_shared<State>(std::move(on_error))) {}
  CallbackList(const CallbackList&) = delete;
  CallbackList& operator=(const CallbackList&) = delete;
  ~CallbackList() { clear(); }

  /// Within a delivery, the callback is called from the next delivery on.
  Subscription subscribe(Callback callback) {
    auto entry = std::make_shared<Entry>(std::move(callback));
    state_->add(entry);
    return Subscription([state = std::weak_ptr(state_), registered = std::weak_ptr(entry)] {
      const auto ending = registered.lock();
      if (!ending) return;
      if (const auto list = state.lock()) list->remove(ending);
      ending->gate.close();
      ending->gate.wait_for_calls();
    });
  }

  /// Calls everybody in the order of their subscription, on this thread and without a lock. Ends early, between two
  /// callbacks, when a stop is requested.
  void deliver(const Value& value, const std::stop_token& stop = {}) const {
    const auto state = state_;  // a callback may destroy the list
    const auto entries = state->entries();
    for (const auto& entry : *entries) {
      if (stop.stop_requested()) return;
      entry->call(value, state->on_error);
    }
  }

  /// Ends all subscriptions without waiting: no call begins any more, those that run go on.
  void clear() {
    const auto entries = state_->take_all();
    for (const auto& entry : *entries) entry->gate.close();
  }

 private:
  struct Entry {
    explicit Entry(Callback to_call) : callback(std::move(to_call)), gate([this] { callback = nullptr; }) {}

    void call(const Value& value, const CallbackErrorHook& on_error) {
      const auto pass = gate.enter();
      if (!pass) return;
      try {
        callback(value);
      } catch (...) {
        report_current_exception(on_error);
      }
    }

    Callback callback;
    CallGate gate;
  };
  using Entries = std::vector<std::shared_ptr<Entry>>;

  /// Copied on every change, so that a delivery sees one state of it and copies nothing.
  class State {
   public:
    explicit State(CallbackErrorHook hook) : on_error(std::move(hook)) {}

    [[nodiscard]] std::shared_ptr<const Entries> entries() const {
      const MutexLock lock(mutex_);
      return entries_;
    }
    void add(const std::shared_ptr<Entry>& entry) {
      const MutexLock lock(mutex_);
      auto changed = std::make_shared<Entries>(*entries_);
      changed->push_back(entry);
      entries_ = std::move(changed);
    }
    void remove(const std::shared_ptr<Entry>& entry) {
      const MutexLock lock(mutex_);
      auto changed = std::make_shared<Entries>(*entries_);
      changed->erase(std::remove(changed->begin(), changed->end(), entry), changed->end());
      entries_ = std::move(changed);
    }
    [[nodiscard]] std::shared_ptr<const Entries> take_all() {
      const MutexLock lock(mutex_);
      return std::exchange(entries_, std::make_shared<const Entries>());
    }

    const CallbackErrorHook on_error;

   private:
    mutable Mutex mutex_;
    std::shared_ptr<const Entries> entries_ DUALGPUOPT_GUARDED_BY(mutex_) = std::make_shared<const Entries>();
  };

  std::shared_ptr<State> state_;
};

}  // namespace dualgpuopt::memory
