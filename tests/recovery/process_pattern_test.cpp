#include "dualgpuopt/memory/recovery/process_pattern.h"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

namespace dualgpuopt::memory {
namespace {

using ::testing::HasSubstr;

ProcessInfo process() {
  ProcessInfo info;
  info.name = "python3";
  info.owner = 1000;
  info.arguments = {"/usr/bin/python3.11", "train.py", "--big"};
  info.cgroup = "/kubepods/pod1";
  return info;
}

TEST(ProcessPattern, IsReadAsItIsWritten) {
  for (const auto* text : {"user:alice", "command:*train.py*", "cgroup:/kubepods/*", "command:a:b"}) {
    const auto pattern = parse_process_pattern(text);
    ASSERT_TRUE(pattern) << pattern.error().describe();
    EXPECT_EQ(pattern->text(), text);
  }
  EXPECT_EQ(parse_process_pattern("User:x")->field, PatternField::User);
}

TEST(ProcessPattern, RefusesWhatNamesNoField) {
  EXPECT_THAT(parse_process_pattern("train.py").error().message(), HasSubstr("expected user:, command: or cgroup:"));
  EXPECT_THAT(parse_process_pattern("user:").error().message(), HasSubstr("expected user:"));
  EXPECT_THAT(parse_process_pattern("group:x").error().message(), HasSubstr("expected user, command or cgroup"));
}

TEST(ProcessPattern, MatchesUserCommandAndCgroup) {
  const auto fits = [](const char* text) { return matches(*parse_process_pattern(text), process(), "alice"); };
  for (const auto* text : {"user:alice", "user:al*", "user:1000", "command:python3", "command:python3.11",
                           "command:*train.py*", "command:/usr/bin/python3.11 train.py --big", "cgroup:/kubepods*"}) {
    EXPECT_TRUE(fits(text)) << text;
  }
  for (const auto* text : {"user:bob", "user:100", "command:python", "command:train.py", "cgroup:kubepods*"}) {
    EXPECT_FALSE(fits(text)) << text;
  }
}

TEST(CommandMatches, KnowsThatTheKernelCutsNames) {
  ProcessInfo info;
  info.name = "nvidia-persiste";
  EXPECT_TRUE(command_matches("nvidia-persistenced", info));
  EXPECT_FALSE(command_matches("nvidia-persist", info));
  info.name = "nvidia-persist";
  EXPECT_FALSE(command_matches("nvidia-persistenced", info)) << "a name that is not cut";
}

TEST(GlobMatches, EdgeCases) {
  EXPECT_TRUE(glob_matches("", ""));
  EXPECT_FALSE(glob_matches("", "a"));
  EXPECT_TRUE(glob_matches("**", ""));
  EXPECT_FALSE(glob_matches("?", ""));
  EXPECT_TRUE(glob_matches("a*b*c", "aXbYbZc"));
  EXPECT_FALSE(glob_matches("a*b*c", "aXbYbZ"));
  EXPECT_TRUE(glob_matches("*a?", "aaab"));
}

/// The definition itself.
bool naive(std::string_view glob, std::string_view text) {
  if (glob.empty()) return text.empty();
  if (glob[0] == '*') return naive(glob.substr(1), text) || (!text.empty() && naive(glob, text.substr(1)));
  return !text.empty() && (glob[0] == '?' || glob[0] == text[0]) && naive(glob.substr(1), text.substr(1));
}

RC_GTEST_PROP(GlobMatches, AgreesWithItsDefinition, ()) {
  const auto glob = *rc::gen::container<std::string>(rc::gen::element('a', 'b', '*', '?'));
  const auto text = *rc::gen::container<std::string>(rc::gen::element('a', 'b'));
  RC_PRE(glob.size() < 12U);
  RC_ASSERT(glob_matches(glob, text) == naive(glob, text));
}

}  // namespace
}  // namespace dualgpuopt::memory
