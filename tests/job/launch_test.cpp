#include "job/launch.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "job/launched.h"

namespace dualgpuopt::memory::job {
namespace {

using ::testing::Contains;

/// In a child, because signals are blocked for good.
int launched(const std::vector<std::string>& command, std::optional<JobPriority> priority = {}) {
  return exit_code_in_child([&] {
    const JobSignals signals;
    const Terminal terminal;
    auto launch = Launch::prepare(command, priority, signals);
    if (!launch) return 99;
    if (const int problem = launch->let_go(terminal)) return exit_code_of_failed_exec(problem);
    return exit_code_of(launch->job());
  });
}

TEST(Launch, RunsTheCommandInAGroupThatItsEnvironmentNames) {
  EXPECT_EQ(launched({"sh", "-c", "exit 7"}), 7);
  EXPECT_EQ(launched({"sh", "-c", "test $GPUMEM_JOB = $$ && test $(ps -o pgid= $$) = $$"}), 0);
  EXPECT_EQ(launched({"sh", "-c", "test $GPUMEM_PRIORITY = low"}, JobPriority::Low), 0);
  EXPECT_EQ(launched({"sh", "-c", "test $(cat /proc/self/oom_score_adj) -ge 500"}, JobPriority::Low), 0);
}

TEST(Launch, SaysWhyItCannotRun) {
  EXPECT_EQ(launched({"no-such-command"}), 127);
  EXPECT_EQ(launched({"/etc/passwd"}), 126);
  EXPECT_EQ(launched({"/etc/passwd/x"}), 127);
}

TEST(Launch, RunsNothingThatWasNotLetGo) {
  EXPECT_EQ(exit_code_in_child([] {
              const JobSignals signals;
              pid_t job = 0;
              {
                const auto launch = Launch::prepare({"sh", "-c", "exit 7"}, {}, signals);
                job = launch->job();
              }
              return exit_code_of(job);
            }),
            0);
}

TEST(Launch, ReplacesEntriesOfTheEnvironment) {
  ::setenv("GPUMEM_TEST", "old", 1);
  const auto entries = environment_with({"GPUMEM_TEST=new"});
  ::unsetenv("GPUMEM_TEST");
  EXPECT_THAT(entries, Contains("GPUMEM_TEST=new"));
  EXPECT_EQ(std::count(entries.begin(), entries.end(), "GPUMEM_TEST=old"), 0);
}

}  // namespace
}  // namespace dualgpuopt::memory::job
