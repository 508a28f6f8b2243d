#include "recovery/strategy_runner.h"

#include <gmock/gmock.h>
#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <stdexcept>
#include <thread>

#include "recovery/gate.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using namespace testing;
using ::testing::HasSubstr;
using enum RecoveryStrategy;

constexpr Duration kLong = 1h;
constexpr Duration kShort = 1ms;

std::shared_ptr<const RecoveryCallback> shared(RecoveryCallback callback) {
  return std::make_shared<const RecoveryCallback>(std::move(callback));
}

RecoveryRequest request_for(RecoveryStrategy strategy) {
  RecoveryRequest request;
  request.gpu = 1;
  request.strategy = strategy;
  request.bytes_to_free = 5;
  return request;
}

StrategyOutcome run(StrategyRunner& runner, RecoveryCallback callback, Duration limit = kLong,
                    const std::stop_token& stop = {}) {
  return runner.run(shared(std::move(callback)), request_for(Offload), limit, stop);
}

StrategyAnswer hang(const SharedGate& gate) {
  gate->wait();
  return {true, "late"};
}

/// Blocks until a stop is requested; says whether one ever can be.
bool wait_for_stop(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  stopped.wait(lock, stop, [] { return false; });
  return stop.stop_requested();
}

void wait_until_idle(const StrategyRunner& runner, RecoveryStrategy strategy) {
  while (runner.is_busy(strategy)) std::this_thread::yield();
}

TEST(StrategyRunner, HandsOverTheRequestAndBringsBackTheAnswer) {
  StrategyRunner runner;
  const auto outcome = run(runner, [](const RecoveryRequest& request) {
    EXPECT_EQ(request.gpu, 1);
    EXPECT_EQ(request.strategy, Offload);
    EXPECT_EQ(request.bytes_to_free, 5U);
    EXPECT_TRUE(request.stop.stop_possible());
    EXPECT_FALSE(request.stop.stop_requested());
    return StrategyAnswer{true, "moved 3 tensors"};
  });
  EXPECT_EQ(outcome.status, AnswerStatus::Answered);
  EXPECT_TRUE(outcome.answer.succeeded);
  EXPECT_EQ(outcome.answer.detail, "moved 3 tensors");
  EXPECT_FALSE(runner.is_busy(Offload));
}

TEST(StrategyRunner, RunsTheCallbackOnAThreadOfItsOwn) {
  StrategyRunner runner;
  std::thread::id there;
  (void)run(runner, [&](const RecoveryRequest&) {
    there = std::this_thread::get_id();
    return StrategyAnswer{};
  });
  EXPECT_NE(there, std::this_thread::get_id());
  EXPECT_NE(there, std::thread::id());
}

TEST(StrategyRunner, MakesAnOutcomeOfWhateverIsThrown) {
  StrategyRunner runner;
  auto outcome = run(runner, [](const RecoveryRequest&) -> StrategyAnswer { throw std::runtime_error("boom"); });
  EXPECT_EQ(outcome.status, AnswerStatus::Threw);
  EXPECT_EQ(outcome.answer.detail, "boom");
  EXPECT_FALSE(outcome.answer.succeeded);
  outcome = run(runner, [](const RecoveryRequest&) -> StrategyAnswer { throw 42; });
  EXPECT_EQ(outcome.status, AnswerStatus::Threw);
  EXPECT_EQ(outcome.answer.detail, "it threw something that is no std::exception");
}

TEST(StrategyRunner, SurvivesACallbackThatEndsItsThread) {
  StrategyRunner runner;
  const auto outcome = run(runner, [](const RecoveryRequest&) -> StrategyAnswer { pthread_exit(nullptr); });
  EXPECT_EQ(outcome.status, AnswerStatus::Threw);
  EXPECT_EQ(outcome.answer.detail, "it ended its thread");
  EXPECT_FALSE(runner.is_busy(Offload));
}

TEST(StrategyRunner, AbandonsACallbackThatDoesNotReturnInTime) {
  StrategyRunner runner;
  const auto gate = make_gate();
  const OpenAtEnd at_end(gate);
  const auto outcome = run(
      runner, [gate](const RecoveryRequest&) { return hang(gate); }, kShort);
  EXPECT_EQ(outcome.status, AnswerStatus::TimedOut);
  EXPECT_TRUE(runner.is_busy(Offload));
  gate->open();
  wait_until_idle(runner, Offload);
}

TEST(StrategyRunner, AsksACallbackToGiveUpWhenItsTimeIsUp) {
  StrategyRunner runner;
  const auto told = std::make_shared<std::atomic<bool>>(false);
  const auto outcome = run(
      runner,
      [told](const RecoveryRequest& request) {
        told->store(wait_for_stop(request.stop));
        return StrategyAnswer{true, "gave up"};
      },
      kShort);
  EXPECT_EQ(outcome.status, AnswerStatus::TimedOut);
  wait_until_idle(runner, Offload);
  EXPECT_TRUE(told->load());
}

TEST(StrategyRunner, KeepsOnlyTheHangingStrategyBusy) {
  StrategyRunner runner;
  const auto gate = make_gate();
  const OpenAtEnd at_end(gate);
  (void)run(
      runner, [gate](const RecoveryRequest&) { return hang(gate); }, kShort);

  std::atomic<int> calls = 0;
  const auto count = [&](const RecoveryRequest&) {
    ++calls;
    return StrategyAnswer{true, ""};
  };
  EXPECT_EQ(run(runner, count).status, AnswerStatus::Busy);
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(runner.run(shared(count), request_for(ClearCache), kLong, {}).status, AnswerStatus::Answered);
  EXPECT_EQ(calls, 1);

  gate->open();
  wait_until_idle(runner, Offload);
  EXPECT_EQ(run(runner, count).status, AnswerStatus::Answered);
  EXPECT_EQ(calls, 2);
}

TEST(StrategyRunner, LeavesARunningCallbackWhenAStopIsRequested) {
  StrategyRunner runner;
  std::stop_source stop;
  const auto told = std::make_shared<std::atomic<bool>>(false);
  const auto outcome = run(
      runner,
      [told, stop](const RecoveryRequest& request) mutable {
        stop.request_stop();
        told->store(wait_for_stop(request.stop));
        return StrategyAnswer{};
      },
      kLong, stop.get_token());
  EXPECT_EQ(outcome.status, AnswerStatus::Stopped);
  wait_until_idle(runner, Offload);
  EXPECT_TRUE(told->load());
}

TEST(StrategyRunner, MayGoBeforeAnAbandonedCallbackReturns) {
  const auto gate = make_gate();
  const auto returned = make_gate();
  {
    StrategyRunner runner;
    (void)run(
        runner,
        [gate, returned](const RecoveryRequest&) {
          const OpenAtEnd says_so(returned);
          return hang(gate);
        },
        kShort);
  }
  gate->open();
  returned->wait();
}

TEST(StrategyRunner, LetsTheCallbackGoBeforeTheCallIsOver) {
  StrategyRunner runner;
  bool busy_at_the_end = false;
  std::shared_ptr<void> held(&runner, [&](void*) { busy_at_the_end = runner.is_busy(Offload); });
  (void)run(runner, [held = std::move(held)](const RecoveryRequest&) { return StrategyAnswer{}; });
  EXPECT_TRUE(busy_at_the_end);
  EXPECT_FALSE(runner.is_busy(Offload));
}

}  // namespace
}  // namespace dualgpuopt::memory
