#include "job/budget.h"

#include <gmock/gmock.h>

namespace dualgpuopt::memory::job {
namespace {

using ::testing::HasSubstr;

TEST(ParseBudget, OverAllGpusOrOfEach) {
  EXPECT_EQ(*parse_budget("20GiB"), (Budget{20_GiB, {}}));
  EXPECT_EQ(*parse_budget("0:20GiB,1:8 GiB"), (Budget{std::nullopt, {{0, 20_GiB}, {1, 8_GiB}}}));
  EXPECT_EQ(*parse_budget("0"), (Budget{0, {}}));
}

TEST(ParseBudget, SaysWhatIsWrong) {
  const std::pair<const char*, const char*> cases[] = {{"much", "much"},
                                                       {"", "size"},
                                                       {"0:20GiB,8GiB", "names no GPU"},
                                                       {"x:1GiB", "no number of a GPU"},
                                                       {"-1:1GiB", "no number"},
                                                       {"0:1GiB,", "names no GPU"},
                                                       {"0:1GiB,0:2GiB", "named twice"},
                                                       {"0:", "size"}};
  for (const auto& [text, words] : cases) {
    const auto parsed = parse_budget(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code(), ErrorCode::ParseFailed);
    EXPECT_THAT(parsed.error().describe(), HasSubstr(words)) << text;
  }
}

TEST(DescribeBudget, InWords) {
  EXPECT_EQ(describe(Budget{20_GiB, {}}), "20.0 GiB");
  EXPECT_EQ(describe(Budget{std::nullopt, {{0, 20_GiB}, {1, 8_GiB}}}), "20.0 GiB on GPU 0, 8.0 GiB on GPU 1");
}

}  // namespace
}  // namespace dualgpuopt::memory::job
