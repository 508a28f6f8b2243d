// Everything at once, from several threads, so many times: meant for ThreadSanitizer, and right without it.
#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <stdexcept>
#include <thread>

#include "dualgpuopt/memory/alerts/dispatcher.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;

constexpr auto kLongEnough = 100s;  // a test that waits this long has failed
constexpr int kRounds = 400;

MemoryAlert numbered_alert(int number) {
  MemoryAlert alert;
  alert.event = static_cast<AlertEvent>(number % 3);
  alert.level = static_cast<Level>(1 + number % 3);
  alert.gpu = number % 2;
  alert.message = "alert " + std::to_string(number);
  return alert;
}

/// Runs `work` on so many threads, which begin together, and waits for their ends.
template <typename Work>
void on_threads(int count, const Work& work) {
  std::latch start(count);
  std::vector<std::jthread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      start.arrive_and_wait();
      work(i);
    });
  }
}

/// Subscribes and cancels; no call may begin or still run once cancel() has returned.
void come_and_go(AlertDispatcher& dispatcher, int rounds) {
  for (int round = 0; round < rounds; ++round) {
    auto calls = std::make_unique<int>(0);  // no atomic: one call at a time, and none after the cancelling
    std::atomic<bool> is_over = false;
    auto subscription = dispatcher.subscribe(Level::Warning, LevelFilter::AtOrAbove,
                                             [&is_over, seen = calls.get()](const MemoryAlert&) {
                                               EXPECT_FALSE(is_over);
                                               ++*seen;
                                             });
    if (round % 2 == 0) std::this_thread::yield();
    subscription.cancel();
    is_over = true;
    calls.reset();
  }
}

/// Subscribes callbacks that cancel themselves.
void leave_from_within(AlertDispatcher& dispatcher, int rounds) {
  for (int round = 0; round < rounds; ++round) {
    auto self = std::make_shared<Subscription>();
    auto is_set = std::make_shared<std::latch>(1);
    *self = dispatcher.subscribe(Level::Warning, LevelFilter::AtOrAbove, [self, is_set](const MemoryAlert&) {
      is_set->wait();
      self->cancel();
    });
    is_set->count_down();
  }
}

TEST(DeliveryStress, PostingSubscribingCancellingStoppingAndStarting) {
  std::atomic<std::uint64_t> reported = 0;
  AlertDispatcher dispatcher(std::make_shared<DeliveryQueue>(16), [&](const std::string&) { ++reported; });
  const auto throwing = dispatcher.subscribe(Level::Critical, LevelFilter::Exactly,
                                             [](const MemoryAlert&) { throw std::runtime_error("no"); });
  int stops = 0;  // no atomic: the queue has one thread
  const auto stopping = dispatcher.subscribe(Level::Emergency, LevelFilter::Exactly, [&](const MemoryAlert&) {
    if (++stops % 7 == 0) dispatcher.stop();
  });
  on_threads(6, [&](int role) {
    if (role < 2) {
      for (int i = 0; i < kRounds; ++i) dispatcher.post(numbered_alert(i));
    } else if (role < 4) {
      come_and_go(dispatcher, kRounds);
    } else if (role == 4) {
      leave_from_within(dispatcher, kRounds / 4);
    } else {
      for (int i = 0; i < kRounds; ++i) i % 8 == 0 ? dispatcher.stop() : dispatcher.start();
    }
  });
  dispatcher.start();
  for (int i = 0; i < 3; ++i) dispatcher.post(numbered_alert(i));
  ASSERT_TRUE(dispatcher.wait_until_idle(kLongEnough));
  dispatcher.stop();
  const auto counters = dispatcher.counters();
  EXPECT_EQ(counters.queue.delivered + counters.queue.dropped + counters.queue.coalesced, 2U * kRounds + 3);
  EXPECT_EQ(counters.delivered, counters.queue.delivered);
  EXPECT_EQ(counters.failed_callbacks, reported);
}

TEST(DeliveryStress, RaisedAndClearedArriveWhileRepeatsCoalesce) {
  AlertDispatcher dispatcher(std::make_shared<DeliveryQueue>(4));
  std::uint64_t lasting = 0;
  std::uint64_t repeated = 0;
  const auto counting = dispatcher.subscribe(Level::Warning, LevelFilter::AtOrAbove, [&](const MemoryAlert& alert) {
    ++(alert.event == AlertEvent::Repeated ? repeated : lasting);
  });
  constexpr int threads = 3;
  on_threads(threads, [&](int) {
    for (int i = 0; i < 3 * kRounds; ++i) dispatcher.post(numbered_alert(i));
  });
  ASSERT_TRUE(dispatcher.wait_until_idle(kLongEnough));
  EXPECT_EQ(lasting, 2U * threads * kRounds);
  EXPECT_EQ(repeated + dispatcher.counters().queue.coalesced, 1U * threads * kRounds);
}

TEST(DeliveryStress, DestroyingWhileCallbacksRunAndOthersCancel) {
  for (int round = 0; round < kRounds / 4; ++round) {
    auto dispatcher = std::make_unique<AlertDispatcher>();
    std::vector<Subscription> subscriptions;
    for (int i = 0; i < 4; ++i) {
      auto owned = std::make_shared<int>(0);
      subscriptions.push_back(
          dispatcher->subscribe(Level::Warning, LevelFilter::AtOrAbove, [owned](const MemoryAlert&) { ++*owned; }));
    }
    for (int i = 0; i < 4; ++i) dispatcher->post(numbered_alert(i));
    on_threads(3, [&](int role) {
      if (role == 0) {
        dispatcher.reset();
      } else {
        subscriptions[static_cast<std::size_t>(role)].cancel();
      }
    });
  }
}

TEST(DeliveryStress, SeveralThreadsDeliverAndCallbacksCancelThemselves) {
  CallbackList<int> list;
  for (int round = 0; round < kRounds / 4; ++round) {
    std::atomic<int> calls = 0;
    const auto self = std::make_shared<Subscription>();
    *self = list.subscribe([&calls, self](int) {
      static Mutex one_owner;  // a Subscription has one user at a time
      const MutexLock lock(one_owner);
      ++calls;
      self->cancel();
    });
    on_threads(4, [&](int thread) {
      for (int i = 0; i < 3; ++i) list.deliver(thread);
    });
    EXPECT_GE(calls, 1);
    EXPECT_LE(calls, 4) << "each thread was within it at most once";
  }
}

TEST(DeliveryStress, ASleepingCallbackDelaysNobodyElse) {
  AlertDispatcher dispatcher;
  std::latch entered(1);
  std::latch may_end(1);
  auto sleeping = dispatcher.subscribe(Level::Emergency, LevelFilter::Exactly, [&](const MemoryAlert& alert) {
    if (alert.message != "sleep") return;
    entered.count_down();
    may_end.wait();
  });
  auto sleep = numbered_alert(2);
  sleep.message = "sleep";
  dispatcher.post(sleep);
  entered.wait();
  on_threads(4, [&](int role) {
    if (role < 2) {
      come_and_go(dispatcher, kRounds);
    } else {
      for (int i = 0; i < kRounds; ++i) role == 2 ? dispatcher.post(numbered_alert(i)) : dispatcher.stop();
    }
  });
  EXPECT_FALSE(dispatcher.wait_until_idle(0s));
  may_end.count_down();
  sleeping.cancel();
  EXPECT_TRUE(dispatcher.wait_until_idle(kLongEnough));
}

}  // namespace
}  // namespace dualgpuopt::memory
