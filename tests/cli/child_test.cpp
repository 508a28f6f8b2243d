#include "cli/child.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <csignal>

namespace dualgpuopt::memory::cli {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

TEST(RunInChild, GivesTheExitCode) {
  EXPECT_EQ(run_in_child([] { return 0; }, 10s), 0);
  EXPECT_EQ(run_in_child([] { return 3; }, 10s), 3);
}

TEST(RunInChild, RunsInAnotherProcess) {
  const auto parent = ::getpid();
  int touched = 0;
  EXPECT_EQ(run_in_child(
                [&] {
                  touched = 1;
                  return ::getpid() == parent ? 1 : 0;
                },
                10s),
            0);
  EXPECT_EQ(touched, 0);
}

TEST(RunInChild, DoesNotWaitForOneThatHangs) {
  const auto result = run_in_child(
      [] {
        for (;;) ::pause();
        return 0;
      },
      50ms);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::Unavailable);
  EXPECT_THAT(result.error().describe(), HasSubstr("has not answered for 50 ms"));
}

TEST(RunInChild, SaysThatItDied) {
  const auto result = run_in_child([]() -> int { return std::raise(SIGKILL); }, 10s);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().describe(), HasSubstr("ended by signal 9"));
  const auto silent = run_in_child([]() -> int { ::_exit(0); }, 10s);
  ASSERT_FALSE(silent);
  EXPECT_THAT(silent.error().describe(), HasSubstr("without a result"));
}

}  // namespace
}  // namespace dualgpuopt::memory::cli
