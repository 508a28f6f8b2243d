#include "models/pattern_parser.h"

#include <gtest/gtest.h>

namespace dualgpuopt::memory {
namespace {

TEST(PatternParser, MakesATree) {
  const auto tree = parse_pattern("a(b|c){2,}$");
  ASSERT_TRUE(tree);
  ASSERT_EQ(tree->kind, PatternNode::Kind::Choice);
  const auto& parts = tree->parts.at(0).parts;
  ASSERT_EQ(parts.size(), 3U);
  EXPECT_TRUE(parts[0].set.test('a'));
  EXPECT_EQ(parts[1].kind, PatternNode::Kind::Repeat);
  EXPECT_EQ(parts[1].least, 2U);
  EXPECT_EQ(parts[1].most, PatternNode::kAny);
  EXPECT_EQ(parts[1].parts.at(0).parts.size(), 2U);
  EXPECT_EQ(parts[2].kind, PatternNode::Kind::End);
}

TEST(PatternParser, KnowsClasses) {
  const auto set_of = [](std::string_view pattern) { return parse_pattern(pattern)->parts.at(0).parts.at(0).set; };
  EXPECT_EQ(set_of("[0-9]"), set_of("\\d"));
  EXPECT_EQ(set_of("[^0-9]"), set_of("\\D"));
  EXPECT_EQ(set_of("[a-]").count(), 2U);
  EXPECT_EQ(set_of(".").count(), 254U) << "all but the ends of lines";
  EXPECT_EQ(set_of("\\.").count(), 1U);
  EXPECT_EQ(set_of("[]").count(), 0U);
}

TEST(PatternParser, CountsPlacesFromOne) {
  EXPECT_EQ(parse_pattern("ab(").error().describe(), "at character 4: expected the ) of a group");
}

}  // namespace
}  // namespace dualgpuopt::memory
