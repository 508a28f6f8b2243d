#include "dualgpuopt/memory/alerts/callback_list.h"

#include <gmock/gmock.h>
#include <pthread.h>

#include <atomic>
#include <latch>
#include <stdexcept>
#include <thread>

namespace dualgpuopt::memory {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// A list that keeps what its callbacks heard, and the errors. For one thread.
class CallbackListTest : public ::testing::Test {
 protected:
  Subscription subscribe(const std::string& name) {
    return list.subscribe([this, name](int value) { heard.push_back(name + std::to_string(value)); });
  }

  std::vector<std::string> heard;
  std::vector<std::string> errors;
  CallbackList<int> list{[this](const std::string& what) { errors.push_back(what); }};
};

TEST_F(CallbackListTest, CallsInTheOrderOfSubscription) {
  const auto a = subscribe("a");
  const auto b = subscribe("b");
  const auto c = subscribe("c");
  list.deliver(1);
  EXPECT_THAT(heard, ElementsAre("a1", "b1", "c1"));
}

TEST_F(CallbackListTest, CallsNobodyWhoCancelled) {
  const auto a = subscribe("a");
  auto b = subscribe("b");
  b.cancel();
  list.deliver(1);
  EXPECT_THAT(heard, ElementsAre("a1"));
}

TEST_F(CallbackListTest, OneExceptionDoesNotKeepOthersFromHearing) {
  const auto standard = list.subscribe([](int) { throw std::runtime_error("no"); });
  const auto other = list.subscribe([](int) { throw 42; });
  const auto empty = list.subscribe(nullptr);
  const auto last = subscribe("last");
  list.deliver(1);
  list.deliver(2);
  EXPECT_THAT(heard, ElementsAre("last1", "last2"));
  EXPECT_THAT(errors, ElementsAre("no", ::testing::HasSubstr("no std::exception"), "bad_function_call", "no",
                                  ::testing::HasSubstr("no std::exception"), "bad_function_call"));
}

TEST_F(CallbackListTest, AThrowingErrorHookIsNoHarm) {
  CallbackList<int> strict([](const std::string& what) { throw std::runtime_error(what); });
  const auto failing = strict.subscribe([](int) { throw std::runtime_error("no"); });
  const auto heard_by = strict.subscribe([this](int) { heard.emplace_back("reached"); });
  strict.deliver(1);
  CallbackList<int> without_hook;
  const auto unheard = without_hook.subscribe([](int) { throw std::runtime_error("no"); });
  without_hook.deliver(1);
  EXPECT_THAT(heard, ElementsAre("reached"));
}

TEST_F(CallbackListTest, ACallbackMayCancelItself) {
  Subscription self;
  self = list.subscribe([&](int) {
    self.cancel();
    heard.emplace_back("once");
  });
  list.deliver(1);
  list.deliver(2);
  EXPECT_THAT(heard, ElementsAre("once"));
}

TEST_F(CallbackListTest, ACallbackMayCancelItselfFromANestedDelivery) {
  Subscription self;
  self = list.subscribe([&](int depth) {
    heard.push_back("at " + std::to_string(depth));
    depth < 2 ? list.deliver(depth + 1) : self.cancel();
  });
  list.deliver(0);
  list.deliver(0);
  EXPECT_THAT(heard, ElementsAre("at 0", "at 1", "at 2"));
}

TEST_F(CallbackListTest, ACallbackMayCancelOthersBeforeTheirTurn) {
  Subscription victim;
  const auto first = list.subscribe([&](int) { victim.cancel(); });
  victim = subscribe("victim");
  const auto last = subscribe("last");
  list.deliver(1);
  EXPECT_THAT(heard, ElementsAre("last1"));
}

TEST_F(CallbackListTest, ANewSubscriberHearsTheNextDelivery) {
  std::vector<Subscription> added;
  const auto adding = list.subscribe([&](int) { added.push_back(subscribe("new")); });
  list.deliver(1);
  EXPECT_THAT(heard, IsEmpty());
  list.deliver(2);
  EXPECT_THAT(heard, ElementsAre("new2"));
}

TEST_F(CallbackListTest, ACallbackMayDestroyTheList) {
  auto doomed = std::make_unique<CallbackList<int>>();
  auto first = doomed->subscribe([&](int) { doomed.reset(); });
  auto second = doomed->subscribe([&](int) { heard.emplace_back("too late"); });
  doomed->deliver(1);
  EXPECT_THAT(heard, IsEmpty());
  first.cancel();
  second.cancel();
}

TEST_F(CallbackListTest, ClearEndsAllSubscriptions) {
  auto a = subscribe("a");
  list.clear();
  list.deliver(1);
  a.cancel();
  const auto b = subscribe("b");
  list.deliver(2);
  EXPECT_THAT(heard, ElementsAre("b2"));
}

TEST_F(CallbackListTest, AReleasedCallbackStaysForTheListsLife) {
  subscribe("a").release();
  list.deliver(1);
  EXPECT_THAT(heard, ElementsAre("a1"));
}

TEST_F(CallbackListTest, EndsEarlyWhenAStopIsRequested) {
  std::stop_source stop;
  const auto a = list.subscribe([&](int) { stop.request_stop(); });
  const auto b = subscribe("b");
  list.deliver(1, stop.get_token());
  EXPECT_THAT(heard, IsEmpty());
}

TEST_F(CallbackListTest, ACancelledCallbackIsDestroyedAtOnce) {
  auto held = std::make_shared<int>(0);
  auto subscription = list.subscribe([held](int) {});
  EXPECT_EQ(held.use_count(), 2);
  subscription.cancel();
  EXPECT_EQ(held.use_count(), 1);
}

TEST_F(CallbackListTest, ACallbackThatCancelsItselfIsDestroyedAfterItsCall) {
  auto held = std::make_shared<int>(0);
  Subscription self;
  long during = 0;
  self = list.subscribe([&during, &self, held](int) {
    self.cancel();
    during = held.use_count();
  });
  list.deliver(1);
  EXPECT_EQ(during, 2);
  EXPECT_EQ(held.use_count(), 1);
}

TEST_F(CallbackListTest, ACallbackMayOwnItsOwnSubscription) {
  auto own = std::make_shared<Subscription>();
  *own = list.subscribe([own](int) {});
  std::weak_ptr watched = own;
  own.reset();
  list.clear();  // destroys the callback, and with it the subscription that it holds
  EXPECT_TRUE(watched.expired());
}

TEST_F(CallbackListTest, CancellingAfterTheListIsGoneIsHarmless) {
  Subscription survivor;
  {
    CallbackList<int> short_lived;
    survivor = short_lived.subscribe([](int) {});
  }
  survivor.cancel();
}

/// A delivery of one value on a thread of its own, to a callback that stays in it until it is let go.
class BlockedDelivery {
 public:
  explicit BlockedDelivery(CallbackList<int>& list)
      : subscription(list.subscribe([this](int) {
          entered_.count_down();
          may_end_.wait();
          ended = true;
        })),
        thread_([&list] { list.deliver(1); }) {
    entered_.wait();
  }
  void let_go() { may_end_.count_down(); }

  std::atomic<bool> ended = false;

 private:
  std::latch entered_{1};
  std::latch may_end_{1};

 public:
  Subscription subscription;

 private:
  std::jthread thread_;
};

TEST_F(CallbackListTest, CancellingWaitsForTheRunningCall) {
  BlockedDelivery blocked(list);
  std::atomic<bool> cancelled = false;
  std::jthread canceller([&] {
    blocked.subscription.cancel();
    EXPECT_TRUE(blocked.ended);
    cancelled = true;
  });
  EXPECT_FALSE(cancelled);
  blocked.let_go();
  canceller.join();
  EXPECT_TRUE(cancelled);
}

TEST_F(CallbackListTest, CancellingDoesNotWaitForOtherCallbacks) {
  auto before = subscribe("before");
  BlockedDelivery blocked(list);
  auto after = subscribe("after");
  before.cancel();
  after.cancel();
  EXPECT_FALSE(blocked.ended);
  blocked.let_go();
}

TEST_F(CallbackListTest, CancellingWaitsForACallThatOutlivesTheList) {
  auto short_lived = std::make_unique<CallbackList<int>>();
  BlockedDelivery blocked(*short_lived);
  short_lived.reset();
  std::jthread canceller([&] {
    blocked.subscription.cancel();
    EXPECT_TRUE(blocked.ended);
  });
  EXPECT_FALSE(blocked.ended);
  blocked.let_go();
}

TEST_F(CallbackListTest, OthersSubscribeAndDeliverWhileACallbackTakesLong) {
  BlockedDelivery blocked(list);
  blocked.subscription.release();
  CallbackList<int> other;
  const auto late = subscribe("late");
  list.clear();
  const auto latest = subscribe("latest");
  list.deliver(2);
  EXPECT_THAT(heard, ElementsAre("latest2"));
  blocked.let_go();
}

TEST_F(CallbackListTest, ACallbackThatEndsItsThreadLeavesTheListInOrder) {
  auto last_call = list.subscribe([](int) { pthread_exit(nullptr); });
  const auto deliver = [](void* list_pointer) -> void* {
    static_cast<CallbackList<int>*>(list_pointer)->deliver(1);
    ADD_FAILURE() << "the thread went on";
    return nullptr;
  };
  pthread_t thread{};
  ASSERT_EQ(pthread_create(&thread, nullptr, deliver, &list), 0);
  ASSERT_EQ(pthread_join(thread, nullptr), 0);
  last_call.cancel();  // would wait for ever if the call still counted
  EXPECT_THAT(errors, IsEmpty());
}

TEST(ReportCurrentException, HandsTheTextToTheHook) {
  std::string heard;
  try {
    throw std::invalid_argument("odd");
  } catch (...) {
    report_current_exception([&](const std::string& what) { heard = what; });
  }
  EXPECT_EQ(heard, "odd");
}

}  // namespace
}  // namespace dualgpuopt::memory
