#include "dualgpuopt/memory/alerts/dispatcher.h"

#include <gmock/gmock.h>

#include <future>
#include <latch>
#include <stdexcept>

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr auto kLongEnough = 60s;  // a test that waits this long has failed

MemoryAlert alert_of(Level level, AlertEvent event = AlertEvent::Raised, int gpu = 0, std::string message = {}) {
  MemoryAlert alert;
  alert.event = event;
  alert.level = level;
  alert.current = event == AlertEvent::Cleared ? Level::Normal : level;
  alert.gpu = gpu;
  alert.message = std::move(message);
  return alert;
}

/// A dispatcher and what its subscribers heard, as "name event level".
class DispatcherTest : public ::testing::Test {
 protected:
  Subscription subscribe(const std::string& name, Level level, LevelFilter filter) {
    return dispatcher.subscribe(level, filter, [this, name](const MemoryAlert& alert) {
      heard.push_back(name + " " + std::string(to_string(alert.event)) + " " + std::string(to_string(alert.level)));
    });
  }

  std::vector<std::string> heard;
  AlertDispatcher dispatcher;
};

TEST(Passes, LooksAtTheAlertsLevel) {
  EXPECT_TRUE(passes(LevelFilter::Exactly, Level::Critical, Level::Critical));
  EXPECT_FALSE(passes(LevelFilter::Exactly, Level::Critical, Level::Emergency));
  EXPECT_TRUE(passes(LevelFilter::AtOrAbove, Level::Critical, Level::Emergency));
  EXPECT_FALSE(passes(LevelFilter::AtOrAbove, Level::Critical, Level::Warning));
}

TEST_F(DispatcherTest, AtOrAboveWarningHearsEverything) {
  const auto all = subscribe("all", Level::Warning, LevelFilter::AtOrAbove);
  for (const auto level : {Level::Warning, Level::Critical, Level::Emergency}) dispatcher.deliver(alert_of(level));
  EXPECT_THAT(heard, ElementsAre("all raised warning", "all raised critical", "all raised emergency"));
}

TEST_F(DispatcherTest, ExactlyCriticalHearsNothingOfAJumpToEmergencyAndBack) {
  const auto critical = subscribe("critical", Level::Critical, LevelFilter::Exactly);
  const auto above = subscribe("above", Level::Critical, LevelFilter::AtOrAbove);
  dispatcher.deliver(alert_of(Level::Emergency));
  dispatcher.deliver(alert_of(Level::Emergency, AlertEvent::Cleared));
  EXPECT_THAT(heard, ElementsAre("above raised emergency", "above cleared emergency"));
  dispatcher.deliver(alert_of(Level::Critical));
  EXPECT_THAT(heard.at(2), "critical raised critical");
}

TEST_F(DispatcherTest, ExactlyNormalHearsNothing) {
  const auto normal = subscribe("normal", Level::Normal, LevelFilter::Exactly);
  dispatcher.deliver(alert_of(Level::Warning, AlertEvent::Cleared));
  EXPECT_THAT(heard, IsEmpty());
}

TEST_F(DispatcherTest, DeliverCallsOnThisThreadBeforeItReturns) {
  std::thread::id called_on;
  const auto subscription = dispatcher.subscribe(Level::Warning, LevelFilter::AtOrAbove,
                                                 [&](const MemoryAlert&) { called_on = std::this_thread::get_id(); });
  dispatcher.stop();  // concerns what is posted
  dispatcher.deliver(alert_of(Level::Warning));
  EXPECT_EQ(called_on, std::this_thread::get_id());
  EXPECT_EQ(dispatcher.counters().delivered, 1U);
}

TEST_F(DispatcherTest, PostedAlertsArriveInOrder) {
  const auto all = subscribe("all", Level::Warning, LevelFilter::AtOrAbove);
  dispatcher.post(alert_of(Level::Warning));
  dispatcher.post(alert_of(Level::Emergency));
  dispatcher.post(alert_of(Level::Emergency, AlertEvent::Cleared));
  ASSERT_TRUE(dispatcher.wait_until_idle(kLongEnough));
  EXPECT_THAT(heard, ElementsAre("all raised warning", "all raised emergency", "all cleared emergency"));
}

TEST_F(DispatcherTest, AFailingCallbackIsCountedReportedAndLeavesOthersAlone) {
  std::string error;
  AlertDispatcher reporting(nullptr, [&](const std::string& what) { error = what; });
  const auto failing = reporting.subscribe(Level::Warning, LevelFilter::AtOrAbove,
                                           [](const MemoryAlert&) { throw std::runtime_error("broken pager"); });
  bool reached = false;
  const auto next =
      reporting.subscribe(Level::Warning, LevelFilter::AtOrAbove, [&](const MemoryAlert&) { reached = true; });
  reporting.post(alert_of(Level::Warning));
  ASSERT_TRUE(reporting.wait_until_idle(kLongEnough));
  EXPECT_TRUE(reached);
  EXPECT_EQ(error, "broken pager");
  EXPECT_EQ(reporting.counters().failed_callbacks, 1U);
}

TEST_F(DispatcherTest, WhenFullOnlyRepeatsOfTheSameDeviceAndLevelCoalesce) {
  std::latch entered(1);
  std::latch may_end(1);
  std::vector<std::string> messages;
  AlertDispatcher full(std::make_shared<DeliveryQueue>(4));
  const auto all = full.subscribe(Level::Warning, LevelFilter::AtOrAbove, [&](const MemoryAlert& alert) {
    if (alert.message == "block") {
      entered.count_down();
      may_end.wait();
    } else {
      messages.push_back(alert.message);
    }
  });
  full.post(alert_of(Level::Warning, AlertEvent::Raised, 0, "block"));
  entered.wait();
  const auto repeat = [&](int gpu, Level level, const char* message) {
    full.post(alert_of(level, AlertEvent::Repeated, gpu, message));
  };
  repeat(0, Level::Warning, "old");
  repeat(1, Level::Warning, "other device");
  repeat(0, Level::Critical, "other level");
  full.post(alert_of(Level::Warning, AlertEvent::Cleared, 0, "cleared"));
  full.post(alert_of(Level::Warning, AlertEvent::Raised, 0, "raised"));
  repeat(0, Level::Warning, "new");
  may_end.count_down();
  ASSERT_TRUE(full.wait_until_idle(kLongEnough));
  EXPECT_THAT(messages, ElementsAre("other device", "other level", "cleared", "raised", "new"));
  EXPECT_EQ(full.counters().queue.coalesced, 1U);
  EXPECT_EQ(full.counters().queue.over_capacity, 1U);
}

/// A subscriber that stays in its call until it is let go; what it touches lives as long as it does.
struct Sleeper {
  std::latch entered{1};
  std::latch may_end{1};
  std::promise<void> ended;

  static AlertCallback callback(const std::shared_ptr<Sleeper>& sleeper) {
    return [sleeper](const MemoryAlert&) {
      sleeper->entered.count_down();
      sleeper->may_end.wait();
      sleeper->ended.set_value();
    };
  }
};

TEST_F(DispatcherTest, StopReturnsWhileACallbackSleepsAndNoFurtherOneIsCalled) {
  const auto sleeper = std::make_shared<Sleeper>();
  const auto sleeping = dispatcher.subscribe(Level::Warning, LevelFilter::AtOrAbove, Sleeper::callback(sleeper));
  const auto next = subscribe("next", Level::Warning, LevelFilter::AtOrAbove);
  dispatcher.post(alert_of(Level::Warning));
  dispatcher.post(alert_of(Level::Critical));
  sleeper->entered.wait();
  dispatcher.stop();
  EXPECT_FALSE(dispatcher.wait_until_idle(0s));
  sleeper->may_end.count_down();
  EXPECT_TRUE(dispatcher.wait_until_idle(kLongEnough));
  EXPECT_THAT(heard, IsEmpty());
  EXPECT_EQ(dispatcher.counters().queue.dropped, 1U);
}

TEST_F(DispatcherTest, DestroyingItWhileACallbackSleepsLeavesNothingBroken) {
  const auto sleeper = std::make_shared<Sleeper>();
  auto doomed = std::make_unique<AlertDispatcher>();
  doomed->subscribe(Level::Warning, LevelFilter::AtOrAbove, Sleeper::callback(sleeper)).release();
  doomed->subscribe(Level::Warning, LevelFilter::AtOrAbove, [](const MemoryAlert&) { FAIL(); }).release();
  doomed->post(alert_of(Level::Warning));
  sleeper->entered.wait();
  doomed.reset();
  sleeper->may_end.count_down();
  sleeper->ended.get_future().get();
}

TEST_F(DispatcherTest, ACallbackMayStopTheDispatcher) {
  const auto all = subscribe("all", Level::Warning, LevelFilter::AtOrAbove);
  const auto stopping =
      dispatcher.subscribe(Level::Critical, LevelFilter::Exactly, [&](const MemoryAlert&) { dispatcher.stop(); });
  dispatcher.post(alert_of(Level::Warning));
  dispatcher.post(alert_of(Level::Critical));
  ASSERT_TRUE(dispatcher.wait_until_idle(kLongEnough));
  dispatcher.post(alert_of(Level::Emergency));
  ASSERT_TRUE(dispatcher.wait_until_idle(kLongEnough));
  EXPECT_THAT(heard, ElementsAre("all raised warning", "all raised critical"));
  dispatcher.start();
  dispatcher.post(alert_of(Level::Emergency));
  ASSERT_TRUE(dispatcher.wait_until_idle(kLongEnough));
  EXPECT_EQ(heard.back(), "all raised emergency");
}

/// Its first subscriber destroys it; its second must then not be called.
class SelfDestroying {
 public:
  SelfDestroying() {
    first_ = dispatcher->subscribe(Level::Warning, LevelFilter::AtOrAbove, [this](const MemoryAlert&) {
      may_destroy.wait();
      dispatcher.reset();
      destroyed.set_value();
    });
    second_ = dispatcher->subscribe(Level::Warning, LevelFilter::AtOrAbove,
                                    [](const MemoryAlert&) { FAIL() << "called after the end"; });
  }

  std::latch may_destroy{1};
  std::promise<void> destroyed;
  std::unique_ptr<AlertDispatcher> dispatcher = std::make_unique<AlertDispatcher>();

 private:
  Subscription first_;
  Subscription second_;
};

TEST_F(DispatcherTest, ACallbackMayDestroyTheDispatcherThatPosts) {
  SelfDestroying doomed;
  doomed.dispatcher->post(alert_of(Level::Warning));
  doomed.may_destroy.count_down();
  doomed.destroyed.get_future().get();
}

TEST_F(DispatcherTest, ACallbackMayDestroyTheDispatcherThatDelivers) {
  SelfDestroying doomed;
  doomed.may_destroy.count_down();
  doomed.dispatcher->deliver(alert_of(Level::Warning));
  EXPECT_EQ(doomed.dispatcher, nullptr);
}

TEST_F(DispatcherTest, SharesAQueueAndItsOrderWithOtherPublishers) {
  const auto queue = std::make_shared<DeliveryQueue>();
  auto sharing = std::make_unique<AlertDispatcher>(queue);
  const auto all = sharing->subscribe(Level::Warning, LevelFilter::AtOrAbove,
                                      [&](const MemoryAlert&) { heard.emplace_back("alert"); });
  queue->post([&](const std::stop_token&) { heard.emplace_back("decision"); });
  sharing->post(alert_of(Level::Warning));
  ASSERT_TRUE(queue->wait_until_idle(kLongEnough));
  EXPECT_THAT(heard, ElementsAre("decision", "alert"));
  sharing.reset();
  queue->post([&](const std::stop_token&) { heard.emplace_back("still there"); });
  ASSERT_TRUE(queue->wait_until_idle(kLongEnough));
  EXPECT_EQ(heard.back(), "still there");
}

TEST_F(DispatcherTest, CancellingEndsASubscription) {
  auto all = subscribe("all", Level::Warning, LevelFilter::AtOrAbove);
  all.cancel();
  dispatcher.deliver(alert_of(Level::Warning));
  EXPECT_THAT(heard, IsEmpty());
}

}  // namespace
}  // namespace dualgpuopt::memory
