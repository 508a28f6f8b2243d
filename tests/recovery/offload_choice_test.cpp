#include "dualgpuopt/memory/recovery/offload_choice.h"

#include <gmock/gmock.h>

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr MonoTime kNow{1h};

OffloadItem item(OffloadId id, Bytes bytes, double priority = 0, Duration idle = {}) {
  return {.id = id, .name = "item", .bytes = bytes, .priority = priority, .last_use = kNow - idle};
}

TEST(OffloadChoice, TakesTheLeastPriorityFirstThenTheLongestUnusedThenTheLargest) {
  const std::vector items{item(1, 1_GiB, 1, 50min), item(2, 1_GiB, 0, 5min), item(3, 1_GiB, 0, 9min),
                          item(4, 2_GiB, 0, 5min + 20s)};
  EXPECT_THAT(choose_to_offload(items, 5_GiB, 1_TiB, kNow).ids, ElementsAre(3, 4, 2, 1));
}

TEST(OffloadChoice, TakesNoMoreThanItNeeds) {
  const std::vector items{item(1, 1_GiB, 0), item(2, 2_GiB, 1), item(3, 4_GiB, 2)};
  EXPECT_THAT(choose_to_offload(items, 0, 1_TiB, kNow).ids, IsEmpty());
  EXPECT_THAT(choose_to_offload(items, 1_GiB, 1_TiB, kNow).ids, ElementsAre(1));
  EXPECT_THAT(choose_to_offload(items, 3_GiB, 1_TiB, kNow).ids, ElementsAre(1, 2));
  EXPECT_THAT(choose_to_offload(items, 4_GiB, 1_TiB, kNow).ids, ElementsAre(3)) << "the smaller ones are needless then";
  EXPECT_THAT(choose_to_offload(items, 9_GiB, 1_TiB, kNow).ids, ElementsAre(1, 2, 3)) << "all that there is";
}

TEST(OffloadChoice, LeavesWhatMayNotBeChosen) {
  std::vector items{item(1, 1_GiB), item(2, 0), item(3, 1_GiB)};
  items[0].obstacle = "it is in use";
  const auto choice = choose_to_offload(items, 2_GiB, 1_TiB, kNow);
  EXPECT_THAT(choice.ids, ElementsAre(3));
  EXPECT_EQ(choice.bytes, 1_GiB);
}

TEST(OffloadChoice, PassesOverWhatTheHostHasNoRoomFor) {
  const auto choice = choose_to_offload({item(1, 4_GiB), item(2, 1_GiB, 1), item(3, 1_GiB, 2)}, 3_GiB, 1500_MiB, kNow);
  EXPECT_THAT(choice.ids, ElementsAre(2));
  EXPECT_TRUE(choice.host_is_short);
  EXPECT_THAT(choice.candidates[1].reason, HasSubstr("the host has room for"));
}

TEST(OffloadChoice, ScoresAllOfThemTheFirstToLeaveHighest) {
  auto gone = item(3, 1_GiB);
  gone.obstacle = "it is offloaded already";
  const auto choice = choose_to_offload({item(1, 1_GiB, 5), item(2, 2_GiB, 0, 3min), gone}, 2_GiB, 1_TiB, kNow);
  EXPECT_THAT(choice.ranked, ElementsAre(2, 1, 3));
  EXPECT_THAT(choice.candidates, ElementsAre(Candidate{"item", 2_GiB, 1.0, true, "priority 0, unused for 3 min"},
                                             Candidate{"item", 1_GiB, 0.0, false, "priority 5, unused for 0 min"},
                                             Candidate{"item", 1_GiB, std::nullopt, false, "it is offloaded already"}));
}

}  // namespace
}  // namespace dualgpuopt::memory
