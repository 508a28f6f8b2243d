#include "monitor/recovery_worker.h"

#include <gtest/gtest.h>

#include <atomic>

#include "monitor/eventually.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;

Reading reading_of(int gpu, Bytes used) {
  return {gpu, {}, Provenance::Driver, MemoryUse::from_used_and_total(used, 24_GiB), {}, nullptr};
}

/// Answers with what a test has set.
class SettablePort final : public MemoryPort {
 public:
  std::atomic<Bytes> used{23_GiB};
  Reading measure(int gpu, ReadDetail /*detail*/) override { return reading_of(gpu, used); }
};

EngineEvent climb_event(int gpu) {
  return {gpu, std::nullopt, ClimbEvidence{gpu, Level::Critical, reading_of(gpu, 23_GiB), std::nullopt}};
}

class RecoveryWorkerTest : public ::testing::Test {
 protected:
  static LadderConfig quick() {
    LadderConfig config;
    config.rungs = {RecoveryStrategy::ClearCache};
    config.settle = 0s;
    return config;
  }
  RecoveryWorker::Outlets outlets() {
    return {[this](const Decision& decision) {
              const MutexLock lock(mutex_);
              log_.push_back("decision " + std::to_string(decision.gpu));
            },
            [this](const MemoryAlert& alert, const std::stop_token&) {
              const MutexLock lock(mutex_);
              log_.push_back("alert " + std::to_string(alert.gpu));
            }};
  }
  std::vector<std::string> log() {
    const MutexLock lock(mutex_);
    return log_;
  }

  Mutex mutex_;
  std::vector<std::string> log_ DUALGPUOPT_GUARDED_BY(mutex_);
  SystemClock clock_;
  SettablePort port_;
  RecoveryLadder ladder_{quick()};
};

TEST_F(RecoveryWorkerTest, ClimbsFirstAndHandsTheAlertOnAfterwards) {
  ladder_.register_strategy(RecoveryStrategy::ClearCache, [](const RecoveryRequest&) {
    return StrategyAnswer{true, {}};
  });
  RecoveryWorker worker(ladder_, port_, clock_, outlets());
  for (const int gpu : {0, 1}) {
    auto event = climb_event(gpu);
    event.alert.emplace();
    event.alert->gpu = gpu;
    worker.post(std::move(event));
  }
  ASSERT_TRUE(eventually([&] { return log().size() == 4; }));
  EXPECT_EQ(log(), (std::vector<std::string>{"decision 0", "alert 0", "decision 1", "alert 1"}));
}

TEST_F(RecoveryWorkerTest, DoesNotClimbAgainDuringTheCooldown) {
  RecoveryWorker worker(ladder_, port_, clock_, outlets());
  worker.post(climb_event(0));
  ASSERT_TRUE(eventually([&] { return log().size() == 1; }));
  worker.post(climb_event(0));
  worker.post(climb_event(1));
  ASSERT_TRUE(eventually([&] { return log().size() == 2; }));
  EXPECT_EQ(log().back(), "decision 1");
}

TEST_F(RecoveryWorkerTest, EndsAtOnceWhileACallbackDoesNotReturn) {
  Mutex mutex;
  Condition changed;
  bool entered = false;
  bool released = false;
  bool left = false;
  ladder_.register_strategy(RecoveryStrategy::ClearCache, [&](const RecoveryRequest&) {
    const MutexLock lock(mutex);
    entered = true;
    changed.notify_all();
    while (!released) changed.wait(mutex);
    left = true;
    changed.notify_all();
    return StrategyAnswer{};
  });
  {
    RecoveryWorker worker(ladder_, port_, clock_, outlets());
    worker.post(climb_event(0));
    const MutexLock lock(mutex);
    while (!entered) changed.wait(mutex);
  }
  EXPECT_EQ(log(), std::vector<std::string>{"decision 0"});  // a climb that is stopped is on record too
  const MutexLock lock(mutex);
  released = true;
  changed.notify_all();
  while (!left) changed.wait(mutex);
}

}  // namespace
}  // namespace dualgpuopt::memory
