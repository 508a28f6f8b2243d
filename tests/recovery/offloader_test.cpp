#include "dualgpuopt/memory/recovery/offloader.h"

#include <gmock/gmock.h>

#include "dualgpuopt/memory/recovery/recovery_ladder.h"
#include "recovery/gate.h"
#include "recovery/offload_objects.h"
#include "recovery/scripted_device.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using namespace testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

struct OffloaderTest : ::testing::Test {
  TestObject& object(TestObject::Traits traits, OffloadTiming timing = OffloadTiming::AtOnce) {
    return add(std::make_unique<TestObject>(std::move(traits)), timing);
  }
  TestObject& add(std::unique_ptr<TestObject> object, OffloadTiming timing = OffloadTiming::AtOnce) {
    objects.push_back(std::move(object));
    registrations.push_back(offloader.add(*objects.back(), timing));
    return *objects.back();
  }
  std::optional<OffloadMove> see(Bytes used) { return offloader.on_state(state_of(used, clock->now())); }

  std::shared_ptr<VirtualClock> clock = std::make_shared<VirtualClock>();
  Result<HostRoom> room = plenty();
  Offloader offloader{clock, {}, [this] { return room; }};
  std::vector<std::unique_ptr<TestObject>> objects;
  std::vector<OffloadRegistration> registrations;
};

TEST_F(OffloaderTest, OffloadsTheLeastValuableUntilEnoughIsGivenBack) {
  auto& worst = object({.name = "worst", .bytes = 2_GiB});
  auto& better = object({.name = "better", .bytes = 2_GiB, .priority = 1});
  auto& best = object({.name = "best", .bytes = 2_GiB, .priority = 2});
  const auto answer = offloader.offload(request_for(3_GiB));
  EXPECT_TRUE(answer.succeeded);
  EXPECT_EQ(answer.detail, "offloaded worst (2.0 GiB); offloaded better (2.0 GiB)");
  EXPECT_TRUE(worst.is_away && better.is_away && !best.is_away);
  ASSERT_THAT(answer.candidates, SizeIs(3));
  EXPECT_EQ(answer.candidates[0].what, "worst");
  EXPECT_EQ(answer.candidates[0].score, 2.0);
  EXPECT_FALSE(answer.candidates[2].chosen);
}

TEST_F(OffloaderTest, OneThatHasLeftHasLeftEvenIfItCannotSayWhatItHolds) {
  auto mute = std::make_unique<TestObject>(TestObject::Traits{});
  mute->on_asked_away = [] { throw std::runtime_error("no idea"); };
  auto& moved = add(std::move(mute));
  EXPECT_TRUE(offloader.offload(request_for(1_GiB)).succeeded);
  EXPECT_TRUE(moved.is_away);
  EXPECT_EQ(offloader.objects().front().residence, Residence::Offloaded);
}

TEST_F(OffloaderTest, AReaderOfTheHostsRoomThatThrowsLeavesNothingBehind) {
  bool throws = true;
  Offloader guarded(clock, {}, [&]() -> Result<HostRoom> {
    if (throws) throw std::runtime_error("no such file");
    return plenty();
  });
  TestObject only(TestObject::Traits{});
  const auto registration = guarded.add(only, OffloadTiming::AtOnce);
  EXPECT_THROW((void)guarded.offload(request_for(1_GiB)), std::runtime_error);
  throws = false;
  EXPECT_TRUE(guarded.offload(request_for(1_GiB)).succeeded);
}

TEST_F(OffloaderTest, WhatFailsIsRecordedAndTheNextIsTried) {
  auto bad = std::make_unique<TestObject>(TestObject::Traits{.name = "bad"});
  bad->on_offload = [](const std::stop_token&) -> Result<void> { throw std::runtime_error("pinned memory is short"); };
  auto worse = std::make_unique<TestObject>(TestObject::Traits{.name = "worse"});
  worse->on_offload = [](const std::stop_token&) -> Result<void> { return fail(ErrorCode::Unavailable, "busy"); };
  add(std::move(bad));
  add(std::move(worse));
  auto& good = object({.name = "good", .priority = 1});
  const auto answer = offloader.offload(request_for(1_GiB));
  EXPECT_TRUE(answer.succeeded);
  EXPECT_TRUE(good.is_away);
  EXPECT_THAT(answer.detail, HasSubstr("bad could not be offloaded: pinned memory is short; worse could not be "
                                       "offloaded: busy; offloaded good"));
  EXPECT_EQ(offloader.find(registrations[0].id())->problem, "pinned memory is short");
}

TEST_F(OffloaderTest, WithoutRoomOnTheHostItRefusesAndSaysSo) {
  auto& thing = object({});
  room = HostRoom{1_GiB + 1_MiB, "the limit of the cgroup /x"};
  auto answer = offloader.offload(request_for(1_GiB));
  EXPECT_FALSE(answer.succeeded);
  EXPECT_EQ(answer.detail, "the host has no room for more: 1 MiB above the reserve, by the limit of the cgroup /x");
  room = fail(ErrorCode::Unavailable, "/proc is not mounted");
  answer = offloader.offload(request_for(1_GiB));
  EXPECT_EQ(answer.detail, "what the host has left is not known: /proc is not mounted");
  EXPECT_EQ(thing.offloads, 0);
}

TEST_F(OffloaderTest, TheHostMayRunShortInTheMiddle) {
  for (int i = 0; i < 3; ++i) {
    auto thing = std::make_unique<TestObject>(TestObject::Traits{});
    thing->on_offload = [this](const std::stop_token&) -> Result<void> {
      room->bytes -= std::min(room->bytes, 1_GiB);
      return {};
    };
    add(std::move(thing));
  }
  room->bytes = 3_GiB;
  const auto answer = offloader.offload(request_for(3_GiB));
  EXPECT_FALSE(answer.succeeded);
  EXPECT_TRUE(objects[0]->is_away && objects[1]->is_away && !objects[2]->is_away) << answer.detail;
  EXPECT_THAT(answer.detail, HasSubstr("the host has no room for more"));
}

TEST_F(OffloaderTest, AStopOrTheDeadlineEndsItBetweenTwoObjects) {
  std::stop_source stop;
  auto first = std::make_unique<TestObject>(TestObject::Traits{});
  first->on_offload = [&](const std::stop_token&) -> Result<void> {
    stop.request_stop();
    return {};
  };
  add(std::move(first));
  auto& second = object({.priority = 1});
  auto request = request_for(2_GiB);
  request.stop = stop.get_token();
  EXPECT_THAT(offloader.offload(request).detail, HasSubstr("the time was up"));
  clock->advance(1min);
  EXPECT_THAT(offloader.offload(request_for(1_GiB)).detail, HasSubstr("the time was up"));
  EXPECT_EQ(second.offloads, 0);
}

TEST_F(OffloaderTest, IsARungOfTheLadder) {
  ScriptedDevices devices;
  devices.set_used(0, 22_GiB);
  auto model = std::make_unique<TestObject>(TestObject::Traits{.name = "model", .bytes = 8_GiB});
  model->on_offload = [&](const std::stop_token&) -> Result<void> {
    devices.free(0, 8_GiB);
    return {};
  };
  add(std::move(model));
  RecoveryLadder ladder(LadderConfig{});
  ladder.register_strategy(RecoveryStrategy::Offload, offloader.strategy());
  const auto decision = ladder.climb(evidence_of(22_GiB), devices, *clock, {});
  EXPECT_EQ(decision.end, DecisionEnd::TargetReached);
  ASSERT_THAT(decision.rungs, SizeIs(1));
  EXPECT_EQ(decision.rungs[0].outcome, RungOutcome::Freed);
  EXPECT_THAT(decision.rungs[0].candidates, SizeIs(1));
}

TEST_F(OffloaderTest, BringsBackWhatFitsWhenItLasts) {
  auto& thing = object({.name = "thing"});
  ASSERT_TRUE(offloader.offload(request_for(1_GiB)).succeeded);
  EXPECT_FALSE(see(2_GiB)) << "too soon";
  clock->advance(61s);
  EXPECT_FALSE(see(23_GiB)) << "no room";
  const auto move = see(2_GiB);
  ASSERT_TRUE(move);
  EXPECT_EQ(move->name, "thing");
  EXPECT_EQ(move->direction, OffloadMove::Direction::ToDevice);
  EXPECT_EQ(move->bytes, 1_GiB);
  EXPECT_FALSE(thing.is_away);
  EXPECT_FALSE(see(2_GiB));
}

TEST_F(OffloaderTest, WhatCannotComeBackStaysAwayAndIsReported) {
  auto thing = std::make_unique<TestObject>(TestObject::Traits{});
  thing->on_restore = [] { return Result<void>(fail(ErrorCode::Unavailable, "CUDA out of memory")); };
  add(std::move(thing));
  ASSERT_TRUE(offloader.offload(request_for(1_GiB)).succeeded);
  clock->advance(61s);
  EXPECT_EQ(see(2_GiB)->problem, "CUDA out of memory");
  const auto entry = offloader.find(registrations[0].id());
  EXPECT_EQ(entry->residence, Residence::Offloaded);
  EXPECT_EQ(entry->problem, "CUDA out of memory");
  EXPECT_FALSE(see(2_GiB)) << "not at once again";
  EXPECT_THAT(offloader.use(registrations[0]).error().describe(), HasSubstr("restoring object: CUDA out of memory"));
}

TEST_F(OffloaderTest, WhatIsUsedComesBackAndStays) {
  auto& thing = object({});
  ASSERT_TRUE(offloader.offload(request_for(1_GiB)).succeeded);
  {
    const auto use = offloader.use(registrations[0]);
    ASSERT_TRUE(use);
    EXPECT_FALSE(thing.is_away);
    const auto answer = offloader.offload(request_for(1_GiB));
    EXPECT_FALSE(answer.succeeded);
    EXPECT_EQ(answer.candidates[0].reason, "it is in use");
  }
  EXPECT_TRUE(offloader.offload(request_for(1_GiB)).succeeded);
  registrations[0].cancel();
  EXPECT_EQ(offloader.use(registrations[0]).error().code(), ErrorCode::NotFound);
}

TEST_F(OffloaderTest, WhatCannotBeAskedIsNoCandidate) {
  struct Mute final : Offloadable {
    bool is_mute = false;
    std::string name() const override { return "mute"; }
    int gpu() const override { return 0; }
    Bytes bytes_on_device() const override { return is_mute ? throw std::runtime_error("who knows?") : 1_GiB; }
    Result<void> offload(const std::stop_token&) override { return {}; }
    Result<void> restore(const std::stop_token&) override { return {}; }
  } mute;
  const auto registration = offloader.add(mute);
  mute.is_mute = true;
  const auto answer = offloader.offload(request_for(1_GiB));
  EXPECT_EQ(answer.detail, "there is nothing to offload");
  EXPECT_EQ(answer.candidates[0].reason, "who knows?");
}

TEST_F(OffloaderTest, ASafePointCarriesOutWhatMayReturn) {
  auto& thing = object({}, OffloadTiming::AtSafePoint);
  {
    const auto region = offloader.safe_region();
    ASSERT_TRUE(offloader.offload(request_for(1_GiB)).succeeded) << "on the rung's own thread";
  }
  clock->advance(61s);
  EXPECT_FALSE(see(2_GiB));
  EXPECT_TRUE(thing.is_away) << "not before the application says so";
  EXPECT_THAT(offloader.safe_point(), SizeIs(1));
  EXPECT_FALSE(thing.is_away);
  EXPECT_THAT(offloader.safe_point(), SizeIs(0));
}

TEST_F(OffloaderTest, ASafePointDoesNotActOnAnOldState) {
  auto& thing = object({}, OffloadTiming::AtSafePoint);
  {
    const auto region = offloader.safe_region();
    ASSERT_TRUE(offloader.offload(request_for(1_GiB)).succeeded);
  }
  clock->advance(61s);
  see(2_GiB);
  clock->advance(11s);
  EXPECT_THAT(offloader.safe_point(), SizeIs(0));
  EXPECT_TRUE(thing.is_away);
}

TEST_F(OffloaderTest, WithoutASafePointTheWishIsTakenBack) {
  object({.name = "model"}, OffloadTiming::AtSafePoint);
  const auto answer = offloader.offload(request_for(1_GiB, 0, MonoTime(10ms)));
  EXPECT_FALSE(answer.succeeded);
  EXPECT_THAT(answer.detail, HasSubstr("model could not be offloaded: no safe point came in time"));
  EXPECT_THAT(offloader.safe_point(), SizeIs(0));
}

}  // namespace
}  // namespace dualgpuopt::memory
