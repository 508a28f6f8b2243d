// The whole way: readings of the (stand-in) driver, alert, ladder, the rungs that the library brings, and the driver's
// own numbers as the judge of what they freed.

#include <gmock/gmock.h>

#include <thread>

#include "dualgpuopt/memory/monitor/memory_monitor.h"
#include "dualgpuopt/memory/recovery/offloader.h"
#include "dualgpuopt/memory/recovery/shared_batch_size.h"
#include "dualgpuopt/memory/sources/nvml.h"
#include "monitor/driver_machine.h"
#include "recovery/offload_objects.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using testing::DriverMachine;
using ::testing::ElementsAre;
using testing::Held;

constexpr Bytes kSmall = 128_MiB;
constexpr Bytes kEnough = 6_GiB;  // from a little above 23 GiB to the target, 18 GiB
constexpr Bytes kUsedInTrouble = 23_GiB + 512_MiB;
constexpr std::uint64_t kBatch = 16;

/// In an emergency; what the given rung frees is enough, what the others free is not.
Held in_trouble(std::size_t sufficient) {
  const auto amount = [&](std::size_t rung) { return rung == sufficient ? kEnough : kSmall; };
  Held held{.cache = amount(0), .batch = 2 * amount(1), .model = amount(2), .neighbour = amount(3)};
  held.others = kUsedInTrouble - held.own() - held.neighbour;
  return held;
}

/// A trainer on GPU 0 with all rungs, each of which really gives memory back. Its steps end every millisecond.
class Trainer {
 public:
  Trainer(DriverMachine& machine, MemoryMonitor& monitor, std::shared_ptr<const Clock> clock, Held held)
      : machine_(machine), per_element_(held.batch / kBatch), model_({.name = "model", .bytes = held.model}) {
    batch_ = std::make_shared<SharedBatchSize>(BatchSizeConfig{.ceiling = kBatch}, clock);
    offloader_ = std::make_unique<Offloader>(clock, OffloadConfig{}, testing::plenty);
    model_.on_offload = [this](const std::stop_token&) -> Result<void> {
      machine_.change(0, [](Held& now) { now.model = 0; });
      return {};
    };
    registration_ = offloader_->add(model_);
    register_rungs(monitor);
    steps_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }

  std::array<std::atomic<int>, 4> calls{};  // of each rung

 private:
  void register_rungs(MemoryMonitor& monitor) {
    const auto add = [&](std::size_t rung, RecoveryStrategy strategy, RecoveryCallback callback) {
      monitor.register_strategy(strategy, [this, rung, callback](const RecoveryRequest& request) {
        ++calls.at(rung);
        return callback(request);
      });
    };
    add(0, RecoveryStrategy::ClearCache, [this](const RecoveryRequest&) {
      machine_.change(0, [](Held& now) { now.cache = 0; });
      return StrategyAnswer{true, "emptied the cache"};
    });
    add(1, RecoveryStrategy::ReduceBatch, [batch = batch_](const auto& request) { return batch->reduce(request); });
    add(2, RecoveryStrategy::Offload, offloader_->strategy());
    add(3, RecoveryStrategy::Terminate, [this](const RecoveryRequest&) {
      machine_.neighbour().end();
      return StrategyAnswer{true, "ended the neighbour"};
    });
  }

  void run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      const auto give_back = [&] { machine_.change(0, [&](Held& now) { now.batch = batch_->size() * per_element_; }); };
      batch_->on_done(batch_->at_safe_point(give_back));
      std::this_thread::sleep_for(1ms);
    }
  }

  DriverMachine& machine_;
  const Bytes per_element_;
  testing::TestObject model_;
  std::shared_ptr<SharedBatchSize> batch_;
  std::unique_ptr<Offloader> offloader_;
  OffloadRegistration registration_;
  std::jthread steps_;
};

std::unique_ptr<MemoryMonitor> monitor_of(const DriverMachine& machine, const std::shared_ptr<Clock>& clock) {
  MonitorConfig config;
  config.ladder.settle = 10ms;
  NvmlOptions options;
  options.library = machine.driver();
  auto source = open_nvml(*clock, options);
  if (!source) throw std::runtime_error(source.error().describe());
  return *MemoryMonitor::create(*std::move(source), clock, config);
}

class LadderOverDriver : public ::testing::TestWithParam<std::size_t> {};

TEST_P(LadderOverDriver, EndsAtTheFirstRungThatSuffices) {
  const auto sufficient = GetParam();
  const auto clock = std::make_shared<SystemClock>();
  DriverMachine machine({in_trouble(sufficient)});
  const auto monitor = monitor_of(machine, clock);
  Trainer trainer(machine, *monitor, clock, in_trouble(sufficient));

  const auto decisions = monitor->step().decisions;
  ASSERT_EQ(decisions.size(), 1U);
  EXPECT_EQ(decisions[0].end, DecisionEnd::TargetReached) << decisions[0].reason;
  ASSERT_EQ(decisions[0].rungs.size(), sufficient + 1);
  for (const auto& rung : decisions[0].rungs) EXPECT_EQ(rung.outcome, RungOutcome::Freed) << rung.detail;
  EXPECT_EQ(decisions[0].freed, static_cast<SignedBytes>(kEnough + sufficient * kSmall));
  for (std::size_t rung = 0; rung < trainer.calls.size(); ++rung) {
    EXPECT_EQ(trainer.calls.at(rung), rung <= sufficient ? 1 : 0) << "rung " << rung;
  }

  const auto& later = monitor->step();
  EXPECT_TRUE(later.decisions.empty());
  EXPECT_EQ(later.snapshot->find(0)->reading.memory->used, kUsedInTrouble - kEnough - sufficient * kSmall);
}

std::string rung_name(const ::testing::TestParamInfo<std::size_t>& info) {
  constexpr std::array kNames{"ClearCache", "ReduceBatch", "Offload", "Terminate"};
  return kNames.at(info.param);
}

INSTANTIATE_TEST_SUITE_P(Rungs, LadderOverDriver, ::testing::Range(std::size_t{0}, std::size_t{4}), rung_name);

TEST(LadderOverDriverOnce, DoesNothingFurtherWhenTheApplicationHelpedItself) {
  const auto clock = std::make_shared<SystemClock>();
  DriverMachine machine({in_trouble(0)});
  const auto monitor = monitor_of(machine, clock);
  Trainer trainer(machine, *monitor, clock, in_trouble(0));
  const auto alerts = monitor->subscribe(Level::Critical, LevelFilter::AtOrAbove, [&](const MemoryAlert&) {
    machine.change(0, [](Held& now) { now.cache = 0; });
  });
  const auto decisions = monitor->step().decisions;
  ASSERT_EQ(decisions.size(), 1U);
  EXPECT_EQ(decisions[0].end, DecisionEnd::NothingToDo) << decisions[0].reason;
  for (const auto& calls : trainer.calls) EXPECT_EQ(calls, 0);
}

TEST(LadderOverDriverOnce, JudgesTwoGpusInTroubleEachByItsOwnNumbers) {
  const auto clock = std::make_shared<SystemClock>();
  DriverMachine machine({in_trouble(0), in_trouble(1)});
  const auto monitor = monitor_of(machine, clock);
  std::vector<int> cleared;
  monitor->register_strategy(RecoveryStrategy::ClearCache, [&](const RecoveryRequest& request) {
    cleared.push_back(request.gpu);
    machine.change(request.gpu, [](Held& now) { now.cache = 0; });
    return StrategyAnswer{true, {}};
  });
  std::vector<int> reduced;
  monitor->register_strategy(RecoveryStrategy::ReduceBatch, [&](const RecoveryRequest& request) {
    reduced.push_back(request.gpu);
    machine.change(request.gpu, [](Held& now) { now.batch /= 2; });
    return StrategyAnswer{true, {}};
  });
  const auto decisions = monitor->step().decisions;
  ASSERT_EQ(decisions.size(), 2U);
  for (const auto& decision : decisions) EXPECT_EQ(decision.end, DecisionEnd::TargetReached) << decision.reason;
  EXPECT_THAT(cleared, ElementsAre(0, 1));
  EXPECT_THAT(reduced, ElementsAre(1));
}

TEST(LadderOverDriverOnce, BelievesTheDriverAndNotTheCallback) {
  const auto clock = std::make_shared<SystemClock>();
  DriverMachine machine({in_trouble(1)});
  const auto monitor = monitor_of(machine, clock);
  monitor->register_strategy(RecoveryStrategy::ClearCache, [](const RecoveryRequest&) {
    return StrategyAnswer{true, "freed 6 GiB"};
  });
  monitor->register_strategy(RecoveryStrategy::ReduceBatch, [&](const RecoveryRequest&) {
    machine.change(0, [](Held& now) { now.batch += 256_MiB; });
    return StrategyAnswer{true, "freed everything"};
  });
  const auto decisions = monitor->step().decisions;
  ASSERT_EQ(decisions.size(), 1U);
  ASSERT_EQ(decisions[0].rungs.size(), 2U);
  EXPECT_EQ(decisions[0].rungs[0].outcome, RungOutcome::FreedNothing);
  EXPECT_NE(decisions[0].rungs[1].outcome, RungOutcome::Freed);
  EXPECT_EQ(decisions[0].freed, -static_cast<SignedBytes>(256_MiB));
  EXPECT_NE(decisions[0].end, DecisionEnd::TargetReached);
}

}  // namespace
}  // namespace dualgpuopt::memory
