#include "job/job_statistics.h"

#include <gtest/gtest.h>

#include "job/readings.h"

namespace dualgpuopt::memory::job {
namespace {

using namespace std::chrono_literals;

TEST(JobStatistics, KeepsThePeaksAndTheirTimes) {
  JobStatistics statistics{MonoTime(10s)};
  statistics.add({MonoTime(11s), Provenance::Driver, {{0, 3_GiB, ""}, {1, 1_GiB, ""}}}, MonoTime(11s));
  statistics.add({MonoTime(13s), Provenance::Driver, {{0, 1_GiB, ""}, {1, 2_GiB, ""}}}, MonoTime(13s));
  statistics.add({MonoTime(13s), Provenance::Driver, {{0, 9_GiB, ""}}}, MonoTime(14s));
  EXPECT_EQ(statistics.samples(), 2U) << "the third is no news";
  EXPECT_EQ(statistics.total()->used, 4_GiB);
  EXPECT_EQ(statistics.total()->at, 1s);
  EXPECT_EQ(statistics.by_gpu().at(1).used, 2_GiB);
  EXPECT_EQ(statistics.by_gpu().at(1).at, 3s);
  EXPECT_EQ(statistics.unknown_for(MonoTime(20s)), 0s);
}

TEST(JobStatistics, CountsTheTimeWithoutKnowledge) {
  JobStatistics statistics{MonoTime(0s)};
  statistics.add(unknown("lost", 1s, 2_GiB), MonoTime(1s));
  statistics.add(unknown("lost", 2s, 1_GiB), MonoTime(2s));
  EXPECT_EQ(statistics.unknown_for(MonoTime(3s)), 2s);
  statistics.add(holding(1_GiB, 4s), MonoTime(4s));
  EXPECT_EQ(statistics.unknown_for(MonoTime(9s)), 3s);
  EXPECT_EQ(statistics.reason(), "GPU 1: lost");
  EXPECT_EQ(statistics.total()->used, 2_GiB) << "what was known of it";
  EXPECT_FALSE(statistics.by_gpu().contains(1));
}

TEST(JobStatistics, NothingKnownIsNoPeak) {
  JobStatistics statistics{MonoTime(0s)};
  statistics.add({MonoTime(1s), Provenance::Driver, {{0, 0, "lost"}}}, MonoTime(1s));
  EXPECT_FALSE(statistics.total());
}

}  // namespace
}  // namespace dualgpuopt::memory::job
