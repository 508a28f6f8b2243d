#include "job/job_signals.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "job/launched.h"

namespace dualgpuopt::memory::job {
namespace {

using namespace std::chrono_literals;

TEST(JobSignals, WaitForWhatComes) {
  EXPECT_EQ(exit_code_in_child([] {
              const JobSignals signals;
              if (signals.wait(0ms)) return 1;
              ::kill(::getpid(), SIGTERM);
              return signals.wait(10s) == SIGTERM ? 0 : 2;
            }),
            0);
}

TEST(JobSignals, OneIsTakenBeforeItsTurn) {
  EXPECT_EQ(exit_code_in_child([] {
              const JobSignals signals;
              if (signals.take(SIGTERM)) return 1;
              ::kill(::getpid(), SIGINT);
              ::kill(::getpid(), SIGTERM);
              if (!signals.take(SIGTERM) || signals.take(SIGTERM)) return 2;
              return signals.wait(10s) == SIGINT ? 0 : 3;
            }),
            0);
}

TEST(JobSignals, OneThatHasComeActsWhenItMay) {
  EXPECT_EQ(exit_code_in_child([] {
              const JobSignals signals;
              signals.let_act(SIGTERM);
              ::kill(::getpid(), SIGTERM);
              signals.let_act(SIGTERM);
              return 1;
            }),
            128 + SIGTERM);
}

TEST(JobSignals, AStopIsTakenBackByWhatContinues) {
  EXPECT_EQ(exit_code_in_child([] {
              const JobSignals signals;
              ::kill(::getpid(), SIGTSTP);
              ::kill(::getpid(), SIGCONT);
              signals.let_act(SIGTSTP);
              return signals.take(SIGCONT) ? 0 : 1;
            }),
            0);
}

TEST(JobSignals, AreAsBeforeInAChild) {
  EXPECT_EQ(exit_code_in_child([] {
              const JobSignals signals;
              signals.restore_in_child();
              ::kill(::getpid(), SIGTERM);
              return 1;
            }),
            128 + SIGTERM);
}

TEST(JobSignals, OfTheTerminalAndOfOthersArePassedOn) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGTSTP}) EXPECT_TRUE(JobSignals::is_passed_on(signal));
  for (const int signal : {SIGCHLD, SIGCONT, SIGTTOU}) EXPECT_FALSE(JobSignals::is_passed_on(signal));
}

}  // namespace
}  // namespace dualgpuopt::memory::job
