#include "dualgpuopt/memory/monitor/memory_monitor.h"

#include <gmock/gmock.h>

#include <atomic>
#include <stdexcept>

#include "monitor/eventually.h"
#include "monitor/scripted_source.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Duration elapsed_since(std::chrono::steady_clock::time_point start) { return std::chrono::steady_clock::now() - start; }

/// Something a callback waits for and a test opens.
class Latch {
 public:
  void open() {
    const MutexLock lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void wait() {
    const MutexLock lock(mutex_);
    while (!open_) changed_.wait(mutex_);
  }

 private:
  Mutex mutex_;
  Condition changed_;
  bool open_ DUALGPUOPT_GUARDED_BY(mutex_) = false;
};

template <typename ClockType>
struct Rig {
  explicit Rig(MonitorConfig config = {}, int devices = 2, Provenance provenance = Provenance::Driver)
      : clock(std::make_shared<ClockType>()) {
    auto made = std::make_unique<ScriptedSource>(devices, *clock, provenance);
    source = made.get();
    auto created = MemoryMonitor::create(std::move(made), clock, config);
    EXPECT_TRUE(created) << created.error().describe();
    monitor = *std::move(created);
  }

  std::shared_ptr<ClockType> clock;
  ScriptedSource* source = nullptr;
  std::unique_ptr<MemoryMonitor> monitor;
};

MonitorConfig paced(Duration interval) {
  MonitorConfig config;
  config.polling = PollingConfig::fixed(interval);
  return config;
}

// ---- stepping on a virtual clock

TEST(MemoryMonitorStep, TheBuiltInTerminateRungRunsWhereItIsEnabled) {
  MonitorConfig config;
  config.terminate.enabled = true;
  Rig<VirtualClock> rig(config, 1);
  rig.source->set_used(0, 23_GiB + 512_MiB);
  const auto decisions = rig.monitor->step().decisions;
  ASSERT_EQ(decisions.size(), 1U);
  ASSERT_EQ(decisions.front().rungs.size(), 1U);
  EXPECT_EQ(decisions.front().rungs.front().strategy, RecoveryStrategy::Terminate);
  EXPECT_THAT(decisions.front().rungs.front().detail, HasSubstr("dry run; would end nobody"));
  EXPECT_EQ(decisions.front().rungs.front().outcome, RungOutcome::FreedNothing);
  rig.monitor->unlock_terminate(0);
}

TEST(MemoryMonitorStep, TheBuiltInTerminateRungIsOffAsItComes) {
  Rig<VirtualClock> rig({}, 1);
  rig.source->set_used(0, 23_GiB + 512_MiB);
  EXPECT_EQ(rig.monitor->step().decisions.front().end, DecisionEnd::NoRungs);
  rig.monitor->unlock_terminate(0);
}

TEST(MemoryMonitorThreads, ThePortMeasuresWhileItRunsAndOutlivesIt) {
  std::shared_ptr<MemoryPort> port;
  {
    Rig<SystemClock> rig(paced(10ms), 1);
    port = rig.monitor->port();
    EXPECT_EQ(port->measure(0, ReadDetail::Memory).reason, "the monitor does not run");
    rig.monitor->start();
    EXPECT_EQ(port->measure(0, ReadDetail::Memory).memory->used, 1_GiB);
  }
  EXPECT_FALSE(port->measure(0, ReadDetail::Memory).ok());
}

TEST(MemoryMonitorStep, ReadsRemembersAndForecasts) {
  Rig<VirtualClock> rig;
  for (int second = 0; second < 20; ++second) {
    rig.source->set_used(0, 10_GiB + static_cast<Bytes>(second) * 100_MiB);
    EXPECT_THAT(rig.monitor->step().fresh, ElementsAre(0, 1));
    rig.clock->advance(1s);
  }
  const auto& growing = *rig.monitor->snapshot()->find(0);
  EXPECT_EQ(growing.status, DeviceStatus::Ok);
  ASSERT_TRUE(growing.forecast->time_to_oom);
  EXPECT_NEAR(growing.forecast->time_to_oom->count(), 124, 10);
  EXPECT_FALSE(rig.monitor->snapshot()->find(1)->forecast->time_to_oom);
  EXPECT_EQ(rig.monitor->history(0, HistoryTier::Second).size(), 20U);
  EXPECT_NEAR(rig.monitor->summary(0, 1min)->rate_bytes_per_second, 100.0 * (1 << 20), 1e6);
  EXPECT_TRUE(rig.monitor->history(9, HistoryTier::Second).empty());
}

TEST(MemoryMonitorStep, AlertsAndRecoversInOneRound) {
  Rig<VirtualClock> rig;
  std::vector<std::string> heard;
  const auto alerts = rig.monitor->subscribe(Level::Warning, LevelFilter::AtOrAbove,
                                             [&](const MemoryAlert& alert) { heard.push_back(alert.text()); });
  rig.monitor->register_strategy(RecoveryStrategy::ClearCache, [&](const RecoveryRequest& request) {
    heard.push_back("clear cache");
    rig.source->set_used(request.gpu, 10_GiB);
    return StrategyAnswer{true, "emptied"};
  });
  rig.source->set_used(1, 22_GiB);
  const auto& report = rig.monitor->step();
  EXPECT_THAT(heard, ElementsAre(HasSubstr("[GPU 1] CRITICAL"), "clear cache"));
  ASSERT_EQ(report.decisions.size(), 1U);
  EXPECT_EQ(report.decisions[0].end, DecisionEnd::TargetReached);
  EXPECT_EQ(report.decisions[0].freed, static_cast<SignedBytes>(12_GiB));
}

TEST(MemoryMonitorStep, RecoversBeforeItCallsBackWhenOrdered) {
  auto config = paced(1s);
  config.dispatch = DispatchOrder::RecoveryFirst;
  Rig<VirtualClock> rig(config);
  std::vector<std::string> order;
  const auto alerts = rig.monitor->subscribe(Level::Warning, LevelFilter::AtOrAbove, [&](const MemoryAlert& alert) {
    order.push_back("alert " + std::to_string(alert.gpu));
  });
  const auto decisions = rig.monitor->subscribe_decisions(
      [&](const Decision& decision) { order.push_back("decision " + std::to_string(decision.gpu)); });
  rig.source->set_used(0, 22_GiB);
  rig.source->set_used(1, 23_GiB);
  rig.monitor->step();
  EXPECT_THAT(order, ElementsAre("decision 0", "alert 0", "decision 1", "alert 1"));
}

TEST(MemoryMonitorStep, NeverActsOnWhatNoDriverMeasured) {
  for (const auto provenance : {Provenance::Simulated, Provenance::Replayed}) {
    Rig<VirtualClock> rig({}, 1, provenance);
    bool acted = false;
    rig.monitor->register_strategy(RecoveryStrategy::ClearCache, [&](const RecoveryRequest&) {
      acted = true;
      return StrategyAnswer{};
    });
    rig.source->set_used(0, 23_GiB);
    const auto& report = rig.monitor->step();
    ASSERT_EQ(report.decisions.size(), 1U);
    EXPECT_EQ(report.decisions[0].end, DecisionEnd::DryRun);
    EXPECT_EQ(report.decisions[0].provenance, provenance);
    EXPECT_EQ(report.alerts[0].provenance, provenance);
    EXPECT_FALSE(acted);
  }
}

TEST(MemoryMonitorStep, OneBrokenDeviceIsOneBrokenEntry) {
  Rig<VirtualClock> rig;
  rig.source->set_failure(0, "GPU is lost");
  EXPECT_THAT(rig.monitor->step().fresh, ElementsAre(1));
  const auto snapshot = rig.monitor->snapshot();
  EXPECT_EQ(snapshot->find(0)->status, DeviceStatus::Unavailable);
  EXPECT_EQ(snapshot->find(0)->reason, "GPU is lost");
  EXPECT_EQ(snapshot->find(1)->status, DeviceStatus::Ok);
}

TEST(MemoryMonitorStep, IsTheSameEveryTime) {
  const auto run = [] {
    Rig<VirtualClock> rig({}, 1, Provenance::Replayed);
    std::string story;
    for (int second = 0; second < 200; ++second) {
      rig.source->set_used(0, 1_GiB + static_cast<Bytes>(second) * 120_MiB);
      const auto& report = rig.monitor->step();
      for (const auto& alert : report.alerts) story += to_json(alert) + "\n";
      for (const auto& decision : report.decisions) story += decision.reason + "\n";
      rig.clock->advance(1s);
    }
    return story;
  };
  EXPECT_EQ(run(), run());
  EXPECT_THAT(run(), HasSubstr("emergency"));
}

TEST(MemoryMonitorStep, LooksForDevicesWhenOneFailsAndEveryFewMinutes) {
  Rig<VirtualClock> rig;
  rig.monitor->step();
  EXPECT_EQ(rig.source->looks(), 1) << "at the creation";
  rig.source->add_device();
  rig.source->set_failure(0, "GPU is lost");
  rig.monitor->step();
  rig.clock->advance(1s);
  EXPECT_EQ(rig.monitor->step().snapshot->devices.size(), 3U);
  EXPECT_EQ(rig.source->looks(), 2);
  EXPECT_EQ(rig.monitor->devices().size(), 3U);
  rig.source->set_failure(0, "");
  rig.monitor->step();
  rig.clock->advance(5min);
  rig.monitor->step();
  EXPECT_EQ(rig.source->looks(), 3);
}

TEST(MemoryMonitorRelease, ClosesTheDriverUntilTheNextStart) {
  Rig<SystemClock> rig(paced(5ms));
  rig.monitor->start();
  ASSERT_TRUE(eventually([&] { return rig.monitor->snapshot()->sequence > 1; }));
  ASSERT_TRUE(rig.monitor->release_driver());
  EXPECT_FALSE(rig.monitor->running());
  EXPECT_TRUE(rig.source->is_released());
  const auto released = rig.clock->now();
  rig.monitor->start();
  ASSERT_TRUE(eventually([&] {  // the first snapshot may still show what was read before
    const auto snapshot = rig.monitor->snapshot();
    return snapshot->devices[0].reading.time.mono > released && snapshot->devices[0].status == DeviceStatus::Ok;
  }));
  EXPECT_FALSE(rig.source->is_released());
}

TEST(MemoryMonitorRelease, SaysThatACallHangs) {
  Rig<SystemClock> rig(paced(5ms));
  rig.source->set_hanging(0);
  rig.monitor->start();
  rig.source->wait_until_hanging(0);
  const auto released = rig.monitor->release_driver();
  ASSERT_FALSE(released);
  EXPECT_EQ(released.error().code(), ErrorCode::Unavailable);
  rig.source->release_hung();
}

// ---- creation

TEST(MemoryMonitorCreate, RefusesWhatMakesNoSense) {
  const auto clock = std::make_shared<VirtualClock>();
  auto config = paced(1s);
  config.horizon = 0s;
  EXPECT_EQ(MemoryMonitor::create(std::make_unique<ScriptedSource>(1, *clock), clock, config).error().code(),
            ErrorCode::InvalidArgument);
  EXPECT_EQ(MemoryMonitor::create(std::make_unique<ScriptedSource>(0, *clock), clock).error().code(),
            ErrorCode::NotFound);
  config = paced(1s);
  config.capacity = 1_GiB;
  EXPECT_THAT(MemoryMonitor::create(std::make_unique<ScriptedSource>(1, *clock), clock, config).error().message(),
              HasSubstr("not of a driver's"));
}

// ---- running

TEST(MemoryMonitor, SamplesUntilItIsStoppedAndStartsAgain) {
  Rig<SystemClock> rig(paced(10ms));
  for (int round = 0; round < 3; ++round) {
    const auto before = rig.monitor->snapshot()->sequence;
    rig.monitor->start();
    rig.monitor->start();
    EXPECT_TRUE(rig.monitor->running());
    EXPECT_GT(rig.monitor->wait_for_snapshot(before + 2, 30s)->sequence, before + 2);
    rig.monitor->stop();
    rig.monitor->stop();
    EXPECT_FALSE(rig.monitor->running());
  }
}

TEST(MemoryMonitor, StopsAnIdleMonitorAtOnceWhateverItsInterval) {
  Rig<SystemClock> rig(paced(1h));
  rig.monitor->start();
  EXPECT_EQ(rig.monitor->wait_for_snapshot(0, 30s)->sequence, 1U);
  const auto start = std::chrono::steady_clock::now();
  rig.monitor->stop();
  EXPECT_LT(elapsed_since(start), 100ms);
}

TEST(MemoryMonitor, StopsWhileADriverCallHangs) {
  Rig<SystemClock> rig(paced(10ms));
  rig.source->set_hanging(0);
  rig.monitor->start();
  rig.source->wait_until_hanging(0);
  const auto start = std::chrono::steady_clock::now();
  rig.monitor->stop();
  EXPECT_LT(elapsed_since(start), 2s);
  rig.source->release_hung();
}

TEST(MemoryMonitor, CallsAHungDeviceStaleWithinThreeIntervalsWhileTheOthersGoOn) {
  constexpr auto kInterval = 300ms;
  Rig<SystemClock> rig(paced(kInterval), 3);
  rig.monitor->start();
  (void)rig.monitor->wait_for_snapshot(0, 30s);
  rig.source->set_hanging(1);
  rig.source->wait_until_hanging(1);
  const auto start = std::chrono::steady_clock::now();
  auto snapshot = rig.monitor->snapshot();
  while (snapshot->find(1)->status != DeviceStatus::Stale && elapsed_since(start) < 30s) {
    EXPECT_EQ(snapshot->find(0)->status, DeviceStatus::Ok);
    EXPECT_EQ(snapshot->find(2)->status, DeviceStatus::Ok);
    snapshot = rig.monitor->wait_for_snapshot(snapshot->sequence, kInterval);
  }
  EXPECT_LE(elapsed_since(start), 3 * kInterval);
  const int before = rig.source->reads(2);
  EXPECT_TRUE(eventually([&] { return rig.source->reads(0) > before && rig.source->reads(2) > before; }));
  rig.monitor->stop();
  rig.source->release_hung();
}

TEST(MemoryMonitor, CallbacksThatSleepThrowUnsubscribeOrStopDelayNoSample) {
  Rig<SystemClock> rig(paced(5ms));
  Latch latch;
  std::atomic<int> entered{0};
  const auto slow = rig.monitor->subscribe(Level::Warning, LevelFilter::AtOrAbove, [&](const MemoryAlert&) {
    ++entered;
    latch.wait();
  });
  rig.monitor->start();
  rig.source->set_used(0, 23_GiB);
  ASSERT_TRUE(eventually([&] { return entered > 0; }));
  const auto during = rig.monitor->snapshot()->sequence;
  EXPECT_GT(rig.monitor->wait_for_snapshot(during + 20, 30s)->sequence, during + 20);  // the callback still sleeps
  latch.open();
  rig.monitor->stop();
}

TEST(MemoryMonitor, ACallbackMayThrowUnsubscribeItselfAndStopTheMonitor) {
  Rig<SystemClock> rig(paced(5ms));
  std::atomic<int> once{0};
  std::atomic<bool> stopped{false};
  const auto throwing = rig.monitor->subscribe(Level::Warning, LevelFilter::AtOrAbove,
                                               [](const MemoryAlert&) { throw std::runtime_error("broken"); });
  Subscription self;
  self = rig.monitor->subscribe(Level::Warning, LevelFilter::AtOrAbove, [&](const MemoryAlert&) {
    ++once;
    self.cancel();
  });
  const auto stopping = rig.monitor->subscribe(Level::Emergency, LevelFilter::Exactly, [&](const MemoryAlert&) {
    rig.monitor->stop();
    stopped = true;
  });
  rig.monitor->start();
  rig.source->set_used(0, 20_GiB);
  ASSERT_TRUE(eventually([&] { return once > 0; }));
  rig.source->set_used(0, 23_GiB + 512_MiB);
  ASSERT_TRUE(eventually([&] { return stopped.load(); }));
  EXPECT_EQ(once, 1);
  EXPECT_FALSE(rig.monitor->running());
}

TEST(MemoryMonitor, ARecoveryCallbackMayStopTheMonitor) {
  Rig<SystemClock> rig(paced(5ms));
  std::atomic<bool> stopped{false};
  rig.monitor->register_strategy(RecoveryStrategy::ClearCache, [&](const RecoveryRequest&) {
    rig.monitor->stop();
    stopped = true;
    return StrategyAnswer{};
  });
  rig.source->set_used(0, 23_GiB);
  rig.monitor->start();
  ASSERT_TRUE(eventually([&] { return stopped.load(); }));
  EXPECT_FALSE(rig.monitor->running());
}

TEST(MemoryMonitor, AHungRecoveryCallbackDelaysNeitherSamplesNorTheStop) {
  Rig<SystemClock> rig(paced(5ms));
  Latch latch;
  Latch left;
  std::atomic<bool> entered{false};
  rig.monitor->register_strategy(RecoveryStrategy::ClearCache, [&](const RecoveryRequest&) {
    entered = true;
    latch.wait();
    left.open();
    return StrategyAnswer{};
  });
  rig.source->set_used(0, 23_GiB);
  rig.monitor->start();
  ASSERT_TRUE(eventually([&] { return entered.load(); }));
  const auto during = rig.monitor->snapshot()->sequence;
  EXPECT_GT(rig.monitor->wait_for_snapshot(during + 20, 30s)->sequence, during + 20);
  const auto start = std::chrono::steady_clock::now();
  rig.monitor->stop();
  EXPECT_LT(elapsed_since(start), 2s);
  latch.open();
  left.wait();
}

TEST(MemoryMonitor, FreesMemoryByMeasuringAndTellsWhoSubscribed) {
  auto config = paced(5ms);
  config.ladder.settle = 1ms;
  Rig<SystemClock> rig(config);
  Mutex mutex;
  std::vector<Decision> made;
  const auto decisions = rig.monitor->subscribe_decisions([&](const Decision& decision) {
    const MutexLock lock(mutex);
    made.push_back(decision);
  });
  rig.monitor->register_strategy(RecoveryStrategy::ClearCache, [](const RecoveryRequest&) {
    return StrategyAnswer{true, "a lie"};
  });
  rig.monitor->register_strategy(RecoveryStrategy::Offload, [&](const RecoveryRequest& request) {
    rig.source->set_used(request.gpu, request.target_used);
    return StrategyAnswer{true, {}};
  });
  rig.source->set_used(0, 23_GiB);
  rig.monitor->start();
  ASSERT_TRUE(eventually([&] {
    const MutexLock lock(mutex);
    return !made.empty();
  }));
  const MutexLock lock(mutex);
  ASSERT_EQ(made[0].rungs.size(), 2U);
  EXPECT_EQ(made[0].rungs[0].outcome, RungOutcome::FreedNothing);
  EXPECT_EQ(made[0].rungs[1].outcome, RungOutcome::Freed);
  EXPECT_EQ(made[0].end, DecisionEnd::TargetReached);
}

TEST(MemoryMonitor, SurvivesThreadsThatStartStopSubscribeAndLookAtOnce) {
  Rig<SystemClock> rig(paced(1ms));
  rig.source->set_used(0, 23_GiB);
  std::vector<std::jthread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 20; ++round) {
        rig.monitor->start();
        (void)rig.monitor->wait_for_snapshot(0, 10ms);
        rig.monitor->stop();
      }
    });
    threads.emplace_back([&] {
      auto reader = rig.monitor->reader();
      for (int round = 0; round < 200; ++round) {
        const auto subscription =
            rig.monitor->subscribe(Level::Warning, LevelFilter::AtOrAbove, [](const MemoryAlert&) {});
        (void)reader.read();
        (void)rig.monitor->history(0, HistoryTier::Second);
      }
    });
  }
}

}  // namespace
}  // namespace dualgpuopt::memory
