#include "dualgpuopt/memory/alerts/delivery_queue.h"

#include <gmock/gmock.h>
#include <pthread.h>

#include <atomic>
#include <future>
#include <latch>
#include <thread>
#include <vector>

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr auto kLongEnough = 60s;  // a test that waits this long has failed

/// A delivery that stays in its turn until it is let go.
class Blocker {
 public:
  DeliveryQueue::Delivery delivery() {
    return [this](const std::stop_token& stop) {
      token_ = stop;
      entered_.count_down();
      may_end_.wait();
    };
  }
  void wait_until_entered() { entered_.wait(); }
  void let_go() { may_end_.count_down(); }
  [[nodiscard]] bool is_asked_to_stop() const { return token_.stop_requested(); }

 private:
  std::latch entered_{1};
  std::latch may_end_{1};
  std::stop_token token_;
};

/// A queue whose thread is held by a blocker, so that what is posted waits.
class HeldQueue {
 public:
  explicit HeldQueue(std::size_t capacity = 1024) : queue(capacity) {
    queue.post(blocker.delivery());
    blocker.wait_until_entered();
  }
  ~HeldQueue() { finish(); }
  DeliveryQueue::Delivery note(int value) {
    return [this, value](const std::stop_token&) { notes_.push_back(value); };
  }
  /// Lets everything run, and gives the notes in the order in which they were taken.
  const std::vector<int>& finish() {
    if (!std::exchange(finished_, true)) blocker.let_go();
    EXPECT_TRUE(queue.wait_until_idle(kLongEnough));
    return notes_;
  }

  Blocker blocker;
  DeliveryQueue queue;

 private:
  std::vector<int> notes_;  // of the queue's thread, until it is idle
  bool finished_ = false;
};

TEST(DeliveryQueue, DeliversInOrderOnOneOtherThread) {
  std::vector<int> order;
  std::vector<std::thread::id> threads;
  DeliveryQueue queue;
  for (int i = 0; i < 5; ++i) {
    queue.post([&, i](const std::stop_token&) {
      order.push_back(i);
      threads.push_back(std::this_thread::get_id());
    });
  }
  ASSERT_TRUE(queue.wait_until_idle(kLongEnough));
  EXPECT_THAT(order, ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(threads, ::testing::Each(threads.front()));
  EXPECT_NE(threads.front(), std::this_thread::get_id());
  EXPECT_EQ(queue.counters().delivered, 5U);
}

TEST(DeliveryQueue, IsIdleBeforeAnythingWasPosted) {
  const DeliveryQueue queue;
  EXPECT_TRUE(queue.wait_until_idle(0s));
  EXPECT_TRUE(queue.wait_until_idle(Duration::max()));
  EXPECT_EQ(queue.counters(), DeliveryCounters{});
}

TEST(DeliveryQueue, PostingDoesNotWaitForADelivery) {
  HeldQueue held;
  for (int i = 0; i < 100; ++i) held.queue.post(held.note(i));
  EXPECT_FALSE(held.queue.wait_until_idle(0s));
  EXPECT_EQ(held.finish().size(), 100U);
}

TEST(DeliveryQueue, KeepsAllRepeatsWhileThereIsRoom) {
  HeldQueue held(3);
  for (int i = 0; i < 3; ++i) held.queue.post_repeat(7, held.note(i));
  EXPECT_THAT(held.finish(), ElementsAre(0, 1, 2));
}

TEST(DeliveryQueue, WhenFullTheNewestRepeatReplacesTheOldestOfItsKey) {
  HeldQueue held(3);
  held.queue.post_repeat(7, held.note(1));
  held.queue.post_repeat(8, held.note(2));
  held.queue.post_repeat(7, held.note(3));
  held.queue.post_repeat(7, held.note(4));
  EXPECT_EQ(held.queue.counters().coalesced, 1U);
  EXPECT_THAT(held.finish(), ElementsAre(2, 3, 4));
}

TEST(DeliveryQueue, WhenFullItStillTakesWhatMustNotBeLost) {
  HeldQueue held(2);
  held.queue.post_repeat(7, held.note(1));
  for (int i = 2; i < 6; ++i) held.queue.post(held.note(i));
  held.queue.post_repeat(8, held.note(6));  // no older one to replace
  EXPECT_EQ(held.queue.counters().over_capacity, 4U);
  EXPECT_THAT(held.finish(), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_EQ(held.queue.counters().coalesced, 0U);
}

TEST(DeliveryQueue, StopDropsWhatWaitsAndDoesNotWaitItself) {
  HeldQueue held;
  held.queue.post(held.note(1));
  held.queue.stop();
  held.queue.stop();
  EXPECT_TRUE(held.blocker.is_asked_to_stop());
  held.queue.post(held.note(2));
  EXPECT_THAT(held.finish(), IsEmpty());
  EXPECT_EQ(held.queue.counters().dropped, 2U);
}

TEST(DeliveryQueue, StartTakesDeliveriesAgain) {
  HeldQueue held;
  held.finish();
  held.queue.stop();
  held.queue.start();
  held.queue.start();
  held.queue.post(held.note(1));
  EXPECT_THAT(held.finish(), ElementsAre(1));
}

TEST(DeliveryQueue, AfterARestartTheDeliveryThatStillRunsComesFirst) {
  HeldQueue held;
  held.queue.stop();
  held.queue.start();
  std::promise<bool> token_is_fresh;
  held.queue.post([&](const std::stop_token& stop) { token_is_fresh.set_value(!stop.stop_requested()); });
  EXPECT_FALSE(held.queue.wait_until_idle(0s));
  EXPECT_EQ(held.queue.counters().delivered, 0U);
  held.finish();
  EXPECT_TRUE(token_is_fresh.get_future().get());
  EXPECT_EQ(held.queue.counters().delivered, 2U);
}

TEST(DeliveryQueue, StartAndStopInAnyOrderLoseNoLaterDelivery) {
  DeliveryQueue queue;
  std::atomic<int> delivered = 0;
  for (int round = 0; round < 200; ++round) {
    queue.post([&](const std::stop_token&) { ++delivered; });
    ASSERT_TRUE(queue.wait_until_idle(kLongEnough));
    queue.stop();
    queue.start();
  }
  EXPECT_EQ(delivered, 200);
}

TEST(DeliveryQueue, ADeliveryMayStopTheQueueAndPostToIt) {
  DeliveryQueue queue;
  std::promise<bool> idle_within;
  queue.post([&](const std::stop_token&) {
    queue.post([](const std::stop_token&) { FAIL() << "delivered after the stop"; });
    idle_within.set_value(queue.wait_until_idle(kLongEnough));
    queue.stop();
  });
  EXPECT_FALSE(idle_within.get_future().get());
  EXPECT_TRUE(queue.wait_until_idle(kLongEnough));
  EXPECT_EQ(queue.counters().dropped, 1U);
}

TEST(DeliveryQueue, ADeliveryMayDestroyTheQueue) {
  auto queue = std::make_unique<DeliveryQueue>();
  std::promise<void> done;
  std::latch may_destroy(1);
  queue->post([&](const std::stop_token& stop) {
    may_destroy.wait();
    queue.reset();
    EXPECT_TRUE(stop.stop_requested());
    done.set_value();
  });
  queue->post([](const std::stop_token&) { FAIL() << "delivered after the end"; });
  may_destroy.count_down();
  done.get_future().get();
}

TEST(DeliveryQueue, DestroyingItLeavesARunningDeliveryBehind) {
  Blocker blocker;
  std::promise<void> after;
  {
    DeliveryQueue queue;
    queue.post([&](const std::stop_token& stop) {
      blocker.delivery()(stop);
      after.set_value();
    });
    blocker.wait_until_entered();
  }
  EXPECT_TRUE(blocker.is_asked_to_stop());
  blocker.let_go();
  after.get_future().get();
}

TEST(DeliveryQueue, WhatADeliveryHoldsIsGoneWhenTheQueueIsIdle) {
  DeliveryQueue queue;
  auto held = std::make_shared<int>(0);
  queue.post([held](const std::stop_token&) {});
  ASSERT_TRUE(queue.wait_until_idle(kLongEnough));
  EXPECT_EQ(held.use_count(), 1);
}

TEST(DeliveryQueue, ADeliveryThatEndsItsThreadIsFollowedByANewOne) {
  DeliveryQueue queue;
  queue.post([](const std::stop_token&) { pthread_exit(nullptr); });
  ASSERT_TRUE(queue.wait_until_idle(kLongEnough));
  std::promise<void> reached;
  queue.post([&](const std::stop_token&) { reached.set_value(); });
  reached.get_future().get();
  EXPECT_TRUE(queue.wait_until_idle(kLongEnough));
  EXPECT_EQ(queue.counters().delivered, 1U);
}

}  // namespace
}  // namespace dualgpuopt::memory
