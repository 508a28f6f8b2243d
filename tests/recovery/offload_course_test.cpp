#include "recovery/offload_course.h"

#include <gmock/gmock.h>

namespace dualgpuopt::memory {
namespace {

using namespace literals;

OffloadChoice choice_of(OffloadId id, bool chosen, std::string reason) {
  OffloadChoice choice;
  choice.ranked = {id};
  choice.candidates = {{"thing", 1_GiB, 0.0, chosen, std::move(reason)}};
  return choice;
}

TEST(OffloadCourse, TellsWhatItGotAndWhatItDidNot) {
  OffloadCourse course(3_GiB);
  course.on_choice(choice_of(1, true, "old"));
  course.on_choice(choice_of(2, true, "older"));
  course.on_choice(choice_of(3, false, "new"));
  course.on_offloaded(1, "one", 1_GiB);
  course.on_failed(2, "two", "no");
  course.on_obstacle("the time was up");
  EXPECT_EQ(course.left(), 2_GiB);
  const auto answer = course.answer();
  EXPECT_FALSE(answer.succeeded);
  EXPECT_EQ(answer.detail, "offloaded one (1.0 GiB); two could not be offloaded: no; the time was up");
  EXPECT_TRUE(answer.candidates[0].chosen);
  EXPECT_TRUE(answer.candidates[1].chosen);
  EXPECT_EQ(answer.candidates[1].reason, "older; it failed: no");
  EXPECT_FALSE(answer.candidates[2].chosen);
}

TEST(OffloadCourse, SucceedsWithAsMuchAsWasAskedFor) {
  OffloadCourse course(1_GiB);
  EXPECT_EQ(course.answer().detail, "there is nothing to offload");
  course.on_offloaded(1, "one", 2_GiB);
  EXPECT_EQ(course.left(), 0U);
  EXPECT_TRUE(course.answer().succeeded);
  EXPECT_EQ(OffloadCourse(0).answer().detail, "nothing to free");
}

TEST(OffloadCourse, TheNewestReasonOfWhatWasChosenLaterCounts) {
  OffloadCourse course(1_GiB);
  course.on_choice(choice_of(1, false, "first"));
  course.on_choice(choice_of(1, true, "second"));
  course.on_choice(choice_of(1, false, "third"));
  EXPECT_EQ(course.answer().candidates[0].reason, "second");
}

}  // namespace
}  // namespace dualgpuopt::memory
