#include "job/job_priority.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>

#include "job/launched.h"

namespace dualgpuopt::memory::job {
namespace {

using ::testing::HasSubstr;

int adjustment() {
  int found = 0;
  std::ifstream("/proc/self/oom_score_adj") >> found;
  return found;
}

TEST(JobPriority, IsOneOfThree) {
  for (const auto* text : {"low", "normal", "high"}) EXPECT_STREQ(to_string(*parse_priority(text)), text);
  EXPECT_THAT(parse_priority("11").error().describe(), HasSubstr("expected low, normal or high"));
  EXPECT_FALSE(parse_priority(""));
}

TEST(JobPriority, IsSetInAChild) {
  EXPECT_EQ(
      exit_code_in_child([] { return set_priority(::getpid(), JobPriority::Low) && adjustment() >= 500 ? 0 : 1; }), 0);
  const int before = adjustment();
  EXPECT_TRUE(set_priority(::getpid(), JobPriority::Normal));
  EXPECT_EQ(adjustment(), before);
}

TEST(JobPriority, OfNobodyIsAnError) {
  const auto refused = set_priority(-1, JobPriority::Low);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().describe(), HasSubstr("/proc/-1/oom_score_adj cannot be written: No such file"));
}

}  // namespace
}  // namespace dualgpuopt::memory::job
