#include "sources/trace_lines.h"

#include <gmock/gmock.h>

namespace dualgpuopt::memory {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using namespace std::string_view_literals;

TEST(TraceLines, NumbersLinesAndPassesOverBlankOnes) {
  TraceLines lines("one\r\n\n  \t\n two \n");
  const auto first = lines.next();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->text, "one");
  EXPECT_EQ(first->number, 1U);
  const auto second = lines.next();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->text, "two");
  EXPECT_EQ(second->number, 4U);
  EXPECT_TRUE(second->complete);
  EXPECT_FALSE(lines.next());
}

TEST(TraceLines, TellsWhetherTheLastLineIsComplete) {
  TraceLines lines("one\ntw");
  EXPECT_TRUE(lines.next()->complete);
  EXPECT_FALSE(lines.next()->complete);
  EXPECT_FALSE(TraceLines("").next());
}

TEST(SplitFields, TrimsEachFieldAndKeepsEmptyOnes) {
  std::vector<std::string_view> fields;
  split_fields("a , b c,,", fields);
  EXPECT_THAT(fields, ElementsAre("a", "b c", "", ""));
  split_fields("", fields);
  EXPECT_THAT(fields, ElementsAre(IsEmpty()));
}

TEST(ParseWholeNumber, TakesDigitsBelowTwoToThe63) {
  EXPECT_EQ(parse_whole_number("0"), 0U);
  EXPECT_EQ(parse_whole_number("9223372036854775807"), 9223372036854775807U);
  for (const auto text : {""sv, "-1"sv, "+1"sv, "1.0"sv, "1e3"sv, "0x1"sv, " 1"sv, "1 "sv, "nan"sv, "1\0"sv,
                          "9223372036854775808"sv, "18446744073709551616"sv}) {
    EXPECT_FALSE(parse_whole_number(text)) << text;
  }
}

TEST(ParseGpuIndex, RefusesAbsurdIndices) {
  EXPECT_EQ(parse_gpu_index("0"), 0);
  EXPECT_EQ(parse_gpu_index("1023"), 1023);
  for (const auto* text : {"1024", "4294967296", "-1", "", "GPU0"}) EXPECT_FALSE(parse_gpu_index(text)) << text;
}

TEST(Refuse, NamesLineTextAndExpectation) {
  const Result<int> refused = refuse({7, "0,x", true}, "x", "the GPU index", "a number");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::ParseFailed);
  EXPECT_EQ(refused.error().message(), "line 7: cannot read \"x\" as the GPU index: expected a number");
}

}  // namespace
}  // namespace dualgpuopt::memory
