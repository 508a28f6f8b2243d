#include "dualgpuopt/memory/recovery/offload_ledger.h"

#include <gmock/gmock.h>

#include <cmath>

#include "recovery/offload_objects.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using namespace testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct OffloadLedgerTest : ::testing::Test {
  OffloadId add(Bytes bytes, double priority = 0, int gpu = 0) {
    return ledger.add({"thing", gpu, bytes, priority}, OffloadTiming::AtOnce, now);
  }
  OffloadChoice choose(Bytes bytes) { return ledger.choose(0, bytes, 1_TiB, {}, now); }
  void offload(OffloadId id) {
    ASSERT_TRUE(ledger.begin_offload(id));
    ledger.end_offload(id, now);
  }
  void restore(OffloadId id) {
    ASSERT_TRUE(ledger.begin_restore(id));
    ledger.end_restore(id, now);
  }
  RestoreChoice next(Bytes used = 1_GiB) { return ledger.next_restore(state_of(used, now), now); }

  OffloadLedger ledger{OffloadConfig{}};
  MonoTime now{1h};
};

TEST_F(OffloadLedgerTest, ChoosesOnlyWhatIsOnThatDeviceAndUnused) {
  const auto one = add(1_GiB), away = add(1_GiB), used = add(1_GiB), silent = add(1_GiB);
  add(1_GiB, 0, 1);
  offload(away);
  ledger.begin_use(used);
  ledger.refuse(silent, "it does not answer");
  const auto choice = choose(9_GiB);
  EXPECT_THAT(choice.ids, ElementsAre(one));
  EXPECT_THAT(choice.ranked, ElementsAre(one, away, used, silent));
  EXPECT_EQ(choice.candidates[1].reason, "it is offloaded already");
  EXPECT_EQ(choice.candidates[2].reason, "it is in use");
  EXPECT_EQ(choice.candidates[3].reason, "it does not answer");
  ledger.end_use(used, now);
  ledger.describe(silent, {"thing", 0, 1_GiB, 0});
  EXPECT_THAT(choose(9_GiB).ids, ElementsAre(one, used, silent));
}

TEST_F(OffloadLedgerTest, WhatSaysNothingOfItsUseCountsAsUsedWhenItCame) {
  const auto old = add(1_GiB);
  now += 10min;
  const auto young = add(2_GiB);
  EXPECT_THAT(choose(9_GiB).ids, ElementsAre(old, young));
  ledger.begin_use(old);
  now += 10min;
  ledger.end_use(old, now);
  EXPECT_THAT(choose(9_GiB).ids, ElementsAre(young, old));
}

TEST_F(OffloadLedgerTest, APriorityThatIsNoNumberIsNone) {
  const auto absurd = add(1_GiB, std::nan(""));
  EXPECT_EQ(ledger.find(absurd)->traits.priority, 0);
}

TEST_F(OffloadLedgerTest, AMoveHasABeginningAndAnEnd) {
  const auto id = add(1_GiB);
  ledger.end_offload(id, now);
  EXPECT_FALSE(ledger.begin_restore(id));
  EXPECT_TRUE(ledger.begin_offload(id));
  EXPECT_FALSE(ledger.begin_offload(id));
  EXPECT_EQ(ledger.leaving(0), 1_GiB);
  EXPECT_THAT(next().reason, HasSubstr("thing is being moved"));
  ledger.fail_offload(id, "no");
  EXPECT_EQ(ledger.find(id)->residence, Residence::OnDevice);
  EXPECT_EQ(ledger.find(id)->problem, "no");
  offload(id);
  EXPECT_EQ(ledger.find(id)->residence, Residence::Offloaded);
  EXPECT_THAT(ledger.find(id)->problem, IsEmpty());
  ledger.remove(id);
  EXPECT_EQ(ledger.find(id), nullptr);
  EXPECT_FALSE(ledger.begin_restore(id));
  EXPECT_THAT(ledger.all(), IsEmpty());
}

TEST_F(OffloadLedgerTest, BringsTheMostValuableThatFitsBackWhenTheHoldOffIsOver) {
  const auto large = add(12_GiB, 2), small = add(2_GiB, 0), better = add(3_GiB, 1);
  for (const auto id : {large, small, better}) offload(id);
  now += 59s;
  EXPECT_EQ(next().reason, "something was offloaded a short while ago");
  now += 1s;
  EXPECT_EQ(next(10_GiB).id, better) << "the large one does not fit";
  EXPECT_EQ(next(1_GiB).id, large);
  EXPECT_THAT(next(20_GiB).reason, HasSubstr("there is room for"));
}

TEST_F(OffloadLedgerTest, BringsOneBackAtATimeByAReadingThatShowsTheOneBefore) {
  const auto one = add(1_GiB), other = add(1_GiB);
  offload(one);
  offload(other);
  now += 1min;
  const auto state = state_of(1_GiB, now);
  const auto first = next().id;
  ASSERT_TRUE(first);
  ASSERT_TRUE(ledger.begin_restore(*first));
  EXPECT_THAT(next().reason, HasSubstr("is being moved"));
  now += 1s;
  ledger.end_restore(*first, now);
  EXPECT_EQ(ledger.next_restore(state, now).reason, "no reading shows the last restore yet");
  now += 1s;
  EXPECT_TRUE(next().id);
}

TEST_F(OffloadLedgerTest, WhatLeftAgainTooSoonWaitsLongerThanTheOthers) {
  const auto id = add(1_GiB);
  offload(id);
  now += 1min;
  restore(id);
  now += 1min;
  offload(id);
  now += 1min;
  EXPECT_THAT(next().reason, HasSubstr("it waits"));
  now += 1min;
  EXPECT_EQ(next().id, id);
}

TEST_F(OffloadLedgerTest, ARestoreThatFailsLeavesItAwayAndIsTriedLater) {
  const auto id = add(1_GiB);
  offload(id);
  now += 1min;
  ASSERT_TRUE(ledger.begin_restore(id));
  ledger.fail_restore(id, "out of memory", now);
  EXPECT_EQ(ledger.find(id)->residence, Residence::Offloaded);
  EXPECT_EQ(ledger.find(id)->problem, "out of memory");
  now += 119s;
  EXPECT_FALSE(next().id);
  now += 1s;
  EXPECT_EQ(next().id, id);
}

}  // namespace
}  // namespace dualgpuopt::memory
