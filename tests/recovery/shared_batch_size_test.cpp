#include "dualgpuopt/memory/recovery/shared_batch_size.h"

#include <gmock/gmock.h>

#include <future>
#include <stdexcept>
#include <thread>

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using namespace testing;

class SharedBatchSizeTest : public Test {
 protected:
  [[nodiscard]] RecoveryRequest request() const {
    RecoveryRequest request;
    request.strategy = RecoveryStrategy::ReduceBatch;
    request.stop = stop_.get_token();
    return request;
  }
  std::future<StrategyAnswer> ask() {
    return std::async(std::launch::async, [this, asked = request()] { return batch_.reduce(asked); });
  }
  /// The application's loop, until the answer is there.
  StrategyAnswer work_until(std::future<StrategyAnswer>& answer, const std::function<void()>& give_back = {}) {
    while (answer.wait_for(0s) != std::future_status::ready) {
      batch_.at_safe_point(give_back);
      std::this_thread::yield();
    }
    return answer.get();
  }

  std::stop_source stop_;
  std::shared_ptr<VirtualClock> clock_ = std::make_shared<VirtualClock>();
  SharedBatchSize batch_{{.ceiling = 64}, clock_};
};

TEST_F(SharedBatchSizeTest, AnswersOnceTheApplicationHasTakenTheSizeOver) {
  auto answer = ask();
  EXPECT_EQ(answer.wait_for(20ms), std::future_status::timeout);
  const auto given = work_until(answer);
  EXPECT_TRUE(given.succeeded);
  EXPECT_EQ(given.detail, "32 at a time from now on");
  EXPECT_EQ(batch_.size(), 32U);
  EXPECT_EQ(batch_.last_change()->cause, BatchSizeCause::Request);
}

TEST_F(SharedBatchSizeTest, GivesBackAtTheSafePointBeforeItAnswers) {
  int given_back = 0;
  batch_.at_safe_point([&] { ++given_back; });
  EXPECT_EQ(given_back, 0) << "nobody asked";
  auto answer = ask();
  (void)work_until(answer, [&] {
    ++given_back;
    EXPECT_NE(answer.wait_for(0s), std::future_status::ready);
  });
  EXPECT_EQ(given_back, 1);
}

TEST_F(SharedBatchSizeTest, GoesOnWaitingWhenGivingBackFails) {
  auto answer = ask();
  const auto fail = [] { throw std::runtime_error("no"); };
  while (true) {
    try {
      batch_.at_safe_point(fail);
    } catch (const std::runtime_error&) {
      break;
    }
  }
  EXPECT_NE(answer.wait_for(0s), std::future_status::ready);
  EXPECT_TRUE(work_until(answer).succeeded);
}

TEST_F(SharedBatchSizeTest, GivesUpWhenItsTimeIsUpAndLeavesTheSizeReduced) {
  auto answer = ask();
  stop_.request_stop();
  const auto given = answer.get();
  EXPECT_FALSE(given.succeeded);
  EXPECT_THAT(given.detail, HasSubstr("did not come in time"));
  EXPECT_EQ(batch_.at_safe_point(), 32U);
}

TEST_F(SharedBatchSizeTest, RefusesAtTheFloor) {
  SharedBatchSize smallest({.ceiling = 1}, clock_);
  const auto given = smallest.reduce(request());
  EXPECT_FALSE(given.succeeded);
  EXPECT_EQ(given.detail, "1 at a time are the fewest already");
}

TEST_F(SharedBatchSizeTest, HandsSignalsOn) {
  batch_.on_level(0, Level::Critical);
  EXPECT_EQ(batch_.size(), 32U);
  EXPECT_TRUE(batch_.on_out_of_memory(32));
  clock_->advance(31s);
  Forecast forecast;
  forecast.time_to_oom = Seconds(1);
  batch_.on_forecast(0, forecast);
  EXPECT_EQ(batch_.size(), 8U);
  batch_.on_forecast(0, std::nullopt);
  batch_.on_level(0, Level::Normal);
  for (int i = 0; i < 10; ++i) {
    clock_->advance(10s);
    batch_.on_done(8);
  }
  EXPECT_EQ(batch_.size(), 12U);
}

TEST_F(SharedBatchSizeTest, ServesSeveralThreads) {
  std::atomic<bool> ended = false;
  std::vector<std::jthread> workers;
  for (int i = 0; i < 3; ++i) {
    workers.emplace_back([&] {
      while (!ended) batch_.on_done(batch_.at_safe_point());
    });
  }
  for (int i = 0; i < 6; ++i) {
    clock_->advance(1min);
    EXPECT_TRUE(batch_.reduce(request()).succeeded);
  }
  ended = true;
  EXPECT_GE(batch_.size(), 1U);
}

}  // namespace
}  // namespace dualgpuopt::memory
