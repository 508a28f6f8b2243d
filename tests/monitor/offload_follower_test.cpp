#include "dualgpuopt/memory/monitor/offload_follower.h"

#include <gmock/gmock.h>

#include "monitor/eventually.h"
#include "monitor/scripted_source.h"
#include "recovery/offload_objects.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using testing::TestObject;

struct OffloadFollowerTest : ::testing::Test {
  OffloadFollowerTest() {
    auto made = std::make_unique<ScriptedSource>(1, *clock, Provenance::Driver);
    source = made.get();
    MonitorConfig config;
    config.polling = PollingConfig::fixed(10ms);
    monitor = *MemoryMonitor::create(std::move(made), clock, config);
  }

  std::shared_ptr<SystemClock> clock = std::make_shared<SystemClock>();
  ScriptedSource* source = nullptr;
  std::unique_ptr<MemoryMonitor> monitor;
  Offloader offloader{clock, {.hold_off = 30ms, .calm_risk = 1}, testing::plenty};
};

TEST_F(OffloadFollowerTest, WhatTheLadderOffloadedComesBackWhenThereIsRoom) {
  TestObject model({.name = "model", .bytes = 4_GiB});
  model.on_offload = [this](const std::stop_token&) -> Result<void> {
    source->set_used(0, 2_GiB);
    return {};
  };
  const auto registration = offloader.add(model);
  std::atomic<int> told = 0;
  const OffloadFollower follower(*monitor, offloader, [&](const OffloadMove& move) {
    EXPECT_EQ(move.problem, "");
    ++told;
  });
  source->set_used(0, 23_GiB);
  monitor->register_strategy(RecoveryStrategy::Offload, offloader.strategy());
  monitor->start();
  EXPECT_TRUE(eventually([&] { return model.offloads == 1; }));
  EXPECT_TRUE(eventually([&] { return told == 1; }));
  EXPECT_FALSE(model.is_away);
}

TEST_F(OffloadFollowerTest, NothingComesBackWhileTheLevelLasts) {
  TestObject model({.bytes = 1_GiB});
  const auto registration = offloader.add(model);
  ASSERT_TRUE(offloader.offload(testing::request_for(1_GiB, 0, clock->now() + 10s)).succeeded);
  source->set_used(0, 22_GiB);
  const OffloadFollower follower(*monitor, offloader);
  monitor->start();
  EXPECT_TRUE(eventually([&] { return monitor->snapshot()->sequence > 8; }));
  EXPECT_TRUE(model.is_away);
}

}  // namespace
}  // namespace dualgpuopt::memory
