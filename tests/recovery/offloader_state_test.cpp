#include "recovery/offloader_state.h"

#include <gmock/gmock.h>

#include <thread>

#include "dualgpuopt/memory/recovery/recovery_ladder.h"
#include "recovery/gate.h"
#include "recovery/offload_objects.h"
#include "recovery/scripted_device.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using namespace testing;
using ::testing::HasSubstr;

/// Several threads at once.
struct OffloaderStateTest : ::testing::Test {
  std::shared_ptr<SystemClock> clock = std::make_shared<SystemClock>();
  Offloader offloader{clock, {}, plenty};

  [[nodiscard]] RecoveryRequest request(Bytes bytes, int gpu = 0) const {
    return request_for(bytes, gpu, clock->now() + 60s);
  }
};

/// An object that hangs in its offload() until a gate opens, and opens another one when it is there.
struct Hanging {
  SharedGate inside = make_gate();
  SharedGate go_on = make_gate();
  OpenAtEnd let_go{go_on};
  TestObject object;

  explicit Hanging(TestObject::Traits traits = {}) : object(std::move(traits)) {
    object.on_offload = [this](const std::stop_token&) -> Result<void> {
      inside->open();
      go_on->wait();
      return {};
    };
  }
};

TEST_F(OffloaderStateTest, ARegistrationThatEndsWaitsForTheMove) {
  Hanging hanging;
  auto registration = offloader.add(hanging.object);
  std::jthread rung([&] { EXPECT_TRUE(offloader.offload(request(1_GiB)).succeeded); });
  hanging.inside->wait();
  std::jthread opener([&] { hanging.go_on->open(); });
  registration.cancel();
  EXPECT_TRUE(hanging.object.is_away);
  EXPECT_TRUE(offloader.objects().empty());
}

TEST_F(OffloaderStateTest, ARegistrationMayEndFromWithinTheMove) {
  TestObject object({});
  OffloadRegistration registration;
  object.on_offload = [&](const std::stop_token&) -> Result<void> {
    registration.cancel();
    return {};
  };
  registration = offloader.add(object);
  EXPECT_TRUE(offloader.offload(request(1_GiB)).succeeded);
  EXPECT_TRUE(offloader.objects().empty());
}

TEST_F(OffloaderStateTest, TwoDevicesAreOffloadedFromAtOnce) {
  Hanging first({.gpu = 0}), second({.gpu = 1});
  const auto one = offloader.add(first.object), other = offloader.add(second.object);
  std::jthread rung([&] { EXPECT_TRUE(offloader.offload(request(1_GiB, 0)).succeeded); });
  std::jthread other_rung([&] { EXPECT_TRUE(offloader.offload(request(1_GiB, 1)).succeeded); });
  first.inside->wait();
  second.inside->wait();
  EXPECT_THAT(offloader.offload(request(1_GiB)).detail, HasSubstr("GPU 0 is being offloaded from already"));
  first.go_on->open();
  second.go_on->open();
}

TEST_F(OffloaderStateTest, WhatHangsBeyondTheDeadlineIsLeftBehindByTheLadder) {
  ScriptedDevices devices;
  devices.set_used(0, 22_GiB);
  Hanging hanging({.bytes = 8_GiB});
  auto registration = offloader.add(hanging.object);
  LadderConfig config;
  config.rung_time_limit = 20ms;
  config.settle = 0ms;
  RecoveryLadder ladder(config);
  ladder.register_strategy(RecoveryStrategy::Offload, offloader.strategy());
  const auto decision = ladder.climb(evidence_of(22_GiB), devices, *clock, {});
  EXPECT_EQ(decision.rungs.at(0).outcome, RungOutcome::TimedOut);
  EXPECT_EQ(offloader.objects()[0].residence, Residence::Leaving);
  hanging.go_on->open();
  registration.cancel();  // waits for the abandoned thread
  EXPECT_TRUE(hanging.object.is_away);
}

TEST_F(OffloaderStateTest, TheRungWaitsForTheSafePoint) {
  TestObject object({});
  const auto registration = offloader.add(object, OffloadTiming::AtSafePoint);
  std::atomic<bool> is_over = false;
  std::thread::id mover;
  object.on_offload = [&](const std::stop_token&) -> Result<void> {
    mover = std::this_thread::get_id();
    return {};
  };
  std::jthread rung([&] {
    EXPECT_TRUE(offloader.offload(request(1_GiB)).succeeded);
    is_over = true;
  });
  while (!is_over) offloader.safe_point();
  EXPECT_EQ(mover, std::this_thread::get_id());
}

TEST_F(OffloaderStateTest, AStopEndsTheWaitingForASafePoint) {
  TestObject object({});
  const auto registration = offloader.add(object, OffloadTiming::AtSafePoint);
  std::stop_source stop;
  auto asked = request(1_GiB);
  asked.stop = stop.get_token();
  std::jthread stopper([&] { stop.request_stop(); });
  EXPECT_FALSE(offloader.offload(asked).succeeded);
  EXPECT_EQ(object.offloads, 0);
}

TEST_F(OffloaderStateTest, ASafeRegionLetsTheRungInAndWaitsForItAtItsEnd) {
  Hanging hanging;
  const auto registration = offloader.add(hanging.object, OffloadTiming::AtSafePoint);
  std::jthread rung([&] { EXPECT_TRUE(offloader.offload(request(1_GiB)).succeeded); });
  std::jthread opener;
  {
    const auto region = offloader.safe_region();
    hanging.inside->wait();
    opener = std::jthread([&] { hanging.go_on->open(); });
  }
  EXPECT_TRUE(hanging.object.is_away);
}

TEST_F(OffloaderStateTest, AUseWaitsForTheMoveAndTurnsItBack) {
  Hanging hanging;
  const auto registration = offloader.add(hanging.object);
  std::jthread rung([&] { EXPECT_TRUE(offloader.offload(request(1_GiB)).succeeded); });
  hanging.inside->wait();
  std::jthread opener([&] { hanging.go_on->open(); });
  const auto use = offloader.use(registration);
  EXPECT_TRUE(use);
  EXPECT_FALSE(hanging.object.is_away);
}

TEST_F(OffloaderStateTest, ManyThreadsMoveEveryObjectOnceAtATime) {
  std::vector<std::unique_ptr<TestObject>> objects;
  std::vector<OffloadRegistration> registrations;
  for (int i = 0; i < 8; ++i) {
    objects.push_back(std::make_unique<TestObject>(TestObject::Traits{.gpu = i % 2, .priority = double(i)}));
    const auto timing = i % 3 == 0 ? OffloadTiming::AtSafePoint : OffloadTiming::AtOnce;
    registrations.push_back(offloader.add(*objects.back(), timing));
  }
  {
    std::vector<std::jthread> threads;
    for (int gpu = 0; gpu < 2; ++gpu) {
      threads.emplace_back([&, gpu](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
          auto asked = request_for(2_GiB, gpu, clock->now() + 1s);
          asked.stop = stop;
          const auto answer = offloader.offload(asked);
          EXPECT_THAT(answer.detail, ::testing::Not(HasSubstr("already;"))) << answer.detail;
        }
      });
    }
    threads.emplace_back([&](const std::stop_token& stop) {
      while (!stop.stop_requested()) offloader.safe_point();
    });
    for (int round = 0; round < 200; ++round) {
      const auto use = offloader.use(registrations[static_cast<std::size_t>(round % 8)]);
      EXPECT_TRUE(use);
      EXPECT_FALSE(objects[static_cast<std::size_t>(round % 8)]->is_away);
    }
  }
  for (std::size_t i = 0; i < objects.size(); ++i) {
    const auto residence = offloader.find(registrations[i].id())->residence;
    EXPECT_EQ(residence, objects[i]->is_away ? Residence::Offloaded : Residence::OnDevice);
    EXPECT_EQ(objects[i]->offloads - objects[i]->restores, objects[i]->is_away ? 1 : 0);
  }
}

}  // namespace
}  // namespace dualgpuopt::memory
