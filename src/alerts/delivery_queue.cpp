#include "dualgpuopt/memory/alerts/delivery_queue.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "dualgpuopt/memory/core/mutex.h"

namespace dualgpuopt::memory {
namespace {

constexpr Duration kLongestWait = std::chrono::hours(24 * 365);  // a later deadline could overflow the clock

}  // namespace

/// What the queue shares with its thread; whoever leaves last takes it along.
class DeliveryQueue::State {
 public:
  struct Item {
    Delivery delivery;
    std::optional<std::uint64_t> repeat_key;
  };
  using Items = std::deque<Item>;

  explicit State(std::size_t capacity) : capacity_(capacity) {}

  /// Returns whether a thread must be started for it.
  [[nodiscard]] bool add(Item item) {
    std::optional<Item> needless;  // destroyed after the lock is given back
    const MutexLock lock(mutex_);
    if (stopped_) {
      ++counters_.dropped;
      return false;
    }
    if (waiting_.size() >= capacity_) needless = make_room_for(item);
    waiting_.push_back(std::move(item));
    changed_.notify_all();
    return !std::exchange(has_thread_, true);
  }

  /// What the queue's thread does: turn by turn, until a stop.
  void run() {
    LossWatch watch{this};
    while (auto turn = next_turn()) {
      std::exchange(turn->delivery, nullptr)(turn->stop);  // what it holds is gone before the turn is over
      turn_done();
    }
    watch.state = nullptr;
  }

  /// There is no thread although nothing was stopped: the next delivery needs a new one.
  void thread_lost() {
    const MutexLock lock(mutex_);
    running_on_.reset();
    has_thread_ = false;
    changed_.notify_all();
  }

  void stop() {
    Items dropped;
    auto stopping = std::stop_source(std::nostopstate);
    {
      const MutexLock lock(mutex_);
      stopped_ = true;
      dropped.swap(waiting_);
      counters_.dropped += dropped.size();
      stopping = stop_;
      changed_.notify_all();
    }
    stopping.request_stop();  // without the lock: it runs what the delivery has tied to its token
  }

  void start() {
    const MutexLock lock(mutex_);
    if (!std::exchange(stopped_, false)) return;
    stop_ = std::stop_source();
  }

  [[nodiscard]] bool wait_until_idle(std::chrono::steady_clock::time_point deadline) {
    const MutexLock lock(mutex_);
    while (!is_idle()) {
      if (running_on_ == std::this_thread::get_id()) return false;
      if (!changed_.wait_until(mutex_, deadline)) return is_idle();
    }
    return true;
  }

  [[nodiscard]] DeliveryCounters counters() const {
    const MutexLock lock(mutex_);
    return counters_;
  }

 private:
  struct Turn {
    Delivery delivery;
    std::stop_token stop;
  };

  /// Tells when user code ends the thread in the midst of a turn (pthread_exit).
  struct LossWatch {
    State* state;
    ~LossWatch() {
      if (state != nullptr) state->thread_lost();
    }
  };

  /// Waits for the next delivery; empty when the thread shall end.
  [[nodiscard]] std::optional<Turn> next_turn() {
    const MutexLock lock(mutex_);
    while (waiting_.empty() && !stopped_) changed_.wait(mutex_);
    if (stopped_) {
      has_thread_ = false;  // said here, so that a start() from now on knows
      return std::nullopt;
    }
    Turn turn{std::move(waiting_.front().delivery), stop_.get_token()};
    waiting_.pop_front();
    running_on_ = std::this_thread::get_id();
    return turn;
  }

  void turn_done() {
    const MutexLock lock(mutex_);
    running_on_.reset();
    ++counters_.delivered;
    changed_.notify_all();
  }

  [[nodiscard]] bool is_idle() const DUALGPUOPT_REQUIRES(mutex_) { return waiting_.empty() && !running_on_; }

  /// Takes out the repeat that `item` makes needless, if there is one.
  [[nodiscard]] std::optional<Item> make_room_for(const Item& item) DUALGPUOPT_REQUIRES(mutex_) {
    const auto is_older = [&](const Item& waiting) { return item.repeat_key && waiting.repeat_key == item.repeat_key; };
    const auto older = std::find_if(waiting_.begin(), waiting_.end(), is_older);
    if (older == waiting_.end()) {
      ++counters_.over_capacity;
      return std::nullopt;
    }
    ++counters_.coalesced;
    auto needless = std::move(*older);
    waiting_.erase(older);
    return needless;
  }

  const std::size_t capacity_;
  mutable Mutex mutex_;
  Condition changed_;
  Items waiting_ DUALGPUOPT_GUARDED_BY(mutex_);
  std::optional<std::thread::id> running_on_ DUALGPUOPT_GUARDED_BY(mutex_);
  bool has_thread_ DUALGPUOPT_GUARDED_BY(mutex_) = false;
  bool stopped_ DUALGPUOPT_GUARDED_BY(mutex_) = false;
  std::stop_source stop_ DUALGPUOPT_GUARDED_BY(mutex_);
  DeliveryCounters counters_ DUALGPUOPT_GUARDED_BY(mutex_);
};

DeliveryQueue::DeliveryQueue(std::size_t capacity) : state_(std::make_shared<State>(capacity)) {}

DeliveryQueue::~DeliveryQueue() { stop(); }

void DeliveryQueue::post(Delivery delivery) {
  if (state_->add({std::move(delivery), std::nullopt})) start_thread();
}

void DeliveryQueue::post_repeat(std::uint64_t key, Delivery delivery) {
  if (state_->add({std::move(delivery), key})) start_thread();
}

void DeliveryQueue::stop() { state_->stop(); }

void DeliveryQueue::start() { state_->start(); }

bool DeliveryQueue::wait_until_idle(Duration timeout) const {
  return state_->wait_until_idle(std::chrono::steady_clock::now() + std::min(timeout, kLongestWait));
}

DeliveryCounters DeliveryQueue::counters() const { return state_->counters(); }

void DeliveryQueue::start_thread() {
  try {
    std::thread([state = state_] { state->run(); }).detach();
  } catch (const std::system_error&) {
    state_->thread_lost();  // the machine has no thread for us now; the next post tries again
  }
}

}  // namespace dualgpuopt::memory
