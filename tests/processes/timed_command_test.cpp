#include "dualgpuopt/memory/processes/timed_command.h"

#include <gtest/gtest.h>

#include <csignal>
#include <thread>

#include "dualgpuopt/memory/processes/process_table.h"
#include "processes/proc_fixture.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;

CommandOutcome run(const std::string& command, Duration limit = 30s, const std::stop_token& stop = {},
                   const std::vector<std::string>& environment = {}) {
  const auto outcome = run_command(command, environment, limit, stop);
  EXPECT_TRUE(outcome) << outcome.error().describe();
  return outcome ? *outcome : CommandOutcome{};
}

TEST(RunCommand, GivesTheExitCode) {
  EXPECT_EQ(run("true").text(), "exited with 0");
  EXPECT_EQ(run("exit 7").text(), "exited with 7");
  EXPECT_EQ(run("kill -KILL $$").text(), "was ended by signal 9");
}

TEST(RunCommand, AddsToTheEnvironment) {
  ::setenv("GPUMEM_TEST_VALUE", "old", 1);
  EXPECT_EQ(run("test \"$GPUMEM_TEST_VALUE\" = new && test -n \"$PATH\"", 30s, {}, {"GPUMEM_TEST_VALUE=new"}).code, 0);
  ::unsetenv("GPUMEM_TEST_VALUE");
}

TEST(RunCommand, EndsOneThatHangsWithAllThatItStarted) {
  const fixture::TemporaryTree tree{};
  const auto file = (tree.root() / "pid").string();
  const auto outcome = run("sleep 1000 & echo $! > " + file + "; trap '' TERM; wait", 300ms);
  EXPECT_EQ(outcome.end, CommandEnd::TimedOut);
  std::ifstream written(file);
  pid_t sleeper = 0;
  ASSERT_TRUE(written >> sleeper);
  const auto lives = [&] {
    const auto process = ProcessTable().read_brief(sleeper);
    return process && process->state == ProcessState::Alive;
  };
  while (lives()) std::this_thread::yield();
}

TEST(RunCommand, EndsItAtAStop) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(run("sleep 1000", 30s, stop.get_token()).end, CommandEnd::TimedOut);
}

TEST(RunCommand, DoesNotMistakeAProgramThatReapsItsChildrenItself) {
  const auto before = std::signal(SIGCHLD, SIG_IGN);
  EXPECT_EQ(run("true").end, CommandEnd::Unknown);
  std::signal(SIGCHLD, before);
}

}  // namespace
}  // namespace dualgpuopt::memory
