#include "models/name_pattern.h"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // false alarms in <regex> under sanitizers (its bug 105562)
#endif
#include <regex>
#include <string>

namespace dualgpuopt::memory {
namespace {

using ::testing::HasSubstr;

bool is_found(const std::string& pattern, const std::string& name) {
  const auto parsed = NamePattern::parse(pattern);
  EXPECT_TRUE(parsed) << pattern << ": " << parsed.error().describe();
  return parsed && parsed->is_found_in(name);
}

TEST(NamePattern, FindsWhatPeopleGiveLlamaCpp) {
  EXPECT_TRUE(is_found("exps", "blk.3.ffn_up_exps.weight"));
  EXPECT_TRUE(is_found(R"(blk.(1[0-9]).ffn_.*_exps.)", "blk.12.ffn_down_exps.weight"));
  EXPECT_FALSE(is_found(R"(blk.(1[0-9]).ffn_.*_exps.)", "blk.2.ffn_down_exps.weight"));
  EXPECT_TRUE(is_found(R"(\.ffn_(up|down|gate)_exps)", "blk.0.ffn_gate_exps.weight"));
  EXPECT_FALSE(is_found(R"(\.ffn_(up|down|gate)_exps)", "blk.0.ffn_gate_shexp.weight"));
  EXPECT_TRUE(is_found(R"(^blk\.([0-9]|[1-3][0-9])\.)", "blk.39.attn_q.weight"));
  EXPECT_FALSE(is_found(R"(^blk\.([0-9]|[1-3][0-9])\.)", "blk.40.attn_q.weight"));
  EXPECT_TRUE(is_found(R"(blk\.\d*[02468]\.ffn)", "blk.14.ffn_up.weight"));
  EXPECT_TRUE(is_found("^output.weight$", "output.weight"));
  EXPECT_FALSE(is_found("^output.weight$", "blk.0.attn_output.weight"));
}

TEST(NamePattern, SaysWhereItCannotRead) {
  const auto refusal = [](const std::string& pattern) {
    const auto parsed = NamePattern::parse(pattern);
    return parsed ? "" : parsed.error().describe();
  };
  EXPECT_THAT(refusal("blk.(1"), HasSubstr("at character 7: expected the ) of a group"));
  EXPECT_THAT(refusal("a)b"), HasSubstr("at character 2: a ) without its ("));
  EXPECT_THAT(refusal("*a"), HasSubstr("at character 1: there is nothing to repeat"));
  EXPECT_THAT(refusal("a**"), HasSubstr("at character 3: there is nothing to repeat"));
  EXPECT_THAT(refusal("[0-9"), HasSubstr("expected the ] of a class"));
  EXPECT_THAT(refusal("[9-0]"), HasSubstr("ends before it begins"));
  EXPECT_THAT(refusal("a{3"), HasSubstr("expected the } of a repetition"));
  EXPECT_THAT(refusal("a{3,2}"), HasSubstr("is less than the least"));
  EXPECT_THAT(refusal("a{x}"), HasSubstr("expected a number of repetitions"));
  EXPECT_THAT(refusal("(?=a)"), HasSubstr("looking ahead"));
  EXPECT_THAT(refusal(R"((a)\1)"), HasSubstr("\\1 is not supported"));
  EXPECT_THAT(refusal("a\\"), HasSubstr("nothing behind it"));
  EXPECT_THAT(refusal("[[:digit:]]"), HasSubstr("[: :] is not supported"));
  EXPECT_THAT(refusal(""), HasSubstr("empty"));
}

TEST(NamePattern, StaysSmallAndFastWhateverItIsGiven) {
  EXPECT_FALSE(is_found("(a+)+$", std::string(1000, 'a') + "b")) << "std::regex never comes back from this";
  EXPECT_TRUE(is_found("(x*)*", "aaa"));
  EXPECT_FALSE(is_found("(.*)*(.*)*(.*)*z", std::string(1000, 'a'))) << "nor from this";
  EXPECT_FALSE(NamePattern::parse(std::string(100, '(') + std::string(100, ')')));
  EXPECT_FALSE(NamePattern::parse("((((a{1000}){1000}){1000}){1000})"));
  EXPECT_FALSE(NamePattern::parse("((((){1000}){1000}){1000}){1000}"));
  EXPECT_FALSE(NamePattern::parse(std::string(NamePattern::kLongest + 1, 'a')));
  EXPECT_TRUE(is_found("a{40}", std::string(40, 'a')));
  EXPECT_FALSE(is_found("a{40}", std::string(39, 'a')));
}

/// A pattern of what the parser knows, whole groups and classes only.
std::string random_pattern(int depth) {
  std::string pattern;
  const auto parts = *rc::gen::inRange(1, 4);
  for (int i = 0; i < parts; ++i) {
    const auto atoms = std::vector<std::string>{"a", "b", ".", "[ab]", "[^a]", "\\d", "\\.", "1"};
    pattern += depth > 0 && *rc::gen::inRange(0, 3) == 0
                   ? "(" + random_pattern(depth - 1) + "|" + random_pattern(depth - 1) + ")"
                   : *rc::gen::elementOf(atoms);
    pattern += *rc::gen::elementOf(std::vector<std::string>{"", "", "", "*", "+", "?", "{2}", "{1,2}", "*?"});
  }
  return pattern;
}

RC_GTEST_PROP(NamePattern, AgreesWithTheStandardLibrary, ()) {
  const auto pattern = random_pattern(1);  // repeated groups in repeated groups take the standard library ages
  const auto name = *rc::gen::resize(8, rc::gen::container<std::string>(rc::gen::elementOf(std::string("ab.1"))));
  const auto parsed = NamePattern::parse(pattern);
  RC_ASSERT(parsed.has_value());
  RC_ASSERT(parsed->is_found_in(name) == std::regex_search(name, std::regex(pattern)));
}

}  // namespace
}  // namespace dualgpuopt::memory
