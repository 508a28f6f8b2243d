#include "job/budget_watch.h"

#include <gmock/gmock.h>

#include <csignal>

#include "job/readings.h"

namespace dualgpuopt::memory::job {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using State = BudgetWatch::State;

/// "say …", "run" or "signal 15".
std::vector<std::string> words_of(const JobActions& actions) {
  std::vector<std::string> words;
  for (const auto& action : actions) {
    if (const auto* notice = std::get_if<Notice>(&action)) words.push_back("say " + notice->text);
    if (std::holds_alternative<RunPressureCommand>(action)) words.emplace_back("run");
    if (const auto* order = std::get_if<SignalJob>(&action)) words.push_back("signal " + std::to_string(order->signal));
  }
  return words;
}

class BudgetWatchTest : public ::testing::Test {
 protected:
  std::vector<std::string> see(const JobMemory& memory) { return words_of(watch_.on_measured(memory, memory.time)); }
  std::vector<std::string> see(Bytes used, Duration at) { return see(holding(used, at)); }
  void with_command() { watch_ = BudgetWatch({{10_GiB, {}}, 10s, true}); }

  BudgetWatch watch_{{{10_GiB, {}}, 10s, false}};
};

TEST_F(BudgetWatchTest, SaysNothingWhileThereIsRoom) {
  EXPECT_THAT(see(0, 1s), IsEmpty());
  EXPECT_THAT(see(8_GiB, 2s), IsEmpty());
  EXPECT_EQ(watch_.wanted_pace(MonoTime(2s)), 1s);
}

TEST_F(BudgetWatchTest, WarnsOnceAtNineTenthsAndAgainAfterACalm) {
  EXPECT_THAT(see(9_GiB, 1s), ElementsAre("say the job holds 9.0 GiB, near its budget of 10.0 GiB"));
  EXPECT_THAT(see(10_GiB, 2s), IsEmpty()) << "the budget itself may be used";
  EXPECT_THAT(see(8_GiB, 3s), IsEmpty());
  EXPECT_THAT(see(9_GiB, 4s), ElementsAre(HasSubstr("near its budget")));
}

TEST_F(BudgetWatchTest, TerminatesInOrder) {
  EXPECT_THAT(see(11_GiB, 1s), IsEmpty()) << "one reading is none";
  EXPECT_EQ(watch_.wanted_pace(MonoTime(1s)), 100ms);
  EXPECT_THAT(see(11_GiB, 2s), ElementsAre(HasSubstr("it has 10 s to come back within; else SIGTERM")));
  EXPECT_THAT(see(11_GiB, 5s), IsEmpty());
  EXPECT_THAT(see(12_GiB, 12s), ElementsAre(HasSubstr("still holds 12.0 GiB"), "signal 15"));
  EXPECT_EQ(watch_.terminated_for()->used, 12_GiB);
  EXPECT_THAT(words_of(watch_.on_time(MonoTime(21s))), IsEmpty());
  EXPECT_THAT(words_of(watch_.on_time(MonoTime(22s))), ElementsAre(HasSubstr("SIGKILL"), "signal 9"));
  EXPECT_THAT(words_of(watch_.on_time(MonoTime(40s))), IsEmpty());
  EXPECT_THAT(see(12_GiB, 50s), IsEmpty());
}

TEST_F(BudgetWatchTest, TheSameReadingTwiceIsOne) {
  EXPECT_THAT(see(11_GiB, 1s), IsEmpty());
  EXPECT_THAT(see(11_GiB, 1s), IsEmpty());
  EXPECT_EQ(watch_.state(), State::Over);
}

TEST_F(BudgetWatchTest, AReadingFromBeforeTheEndOfTheGraceTerminatesNothing) {
  (void)see(11_GiB, 1s);
  (void)see(11_GiB, 2s);
  EXPECT_THAT(words_of(watch_.on_measured(holding(11_GiB, 11999ms), MonoTime(20s))), IsEmpty());
  EXPECT_EQ(watch_.wanted_pace(MonoTime(20s)), 100ms);
  EXPECT_EQ(watch_.state(), State::Grace);
}

TEST_F(BudgetWatchTest, NothingHappensIfItComesBackInTheGrace) {
  (void)see(11_GiB, 1s);
  (void)see(11_GiB, 2s);
  EXPECT_THAT(see(10_GiB, 3s), ElementsAre(HasSubstr("nothing is terminated")));
  EXPECT_THAT(see(9_GiB, 30s), IsEmpty());
  EXPECT_THAT(see(11_GiB, 31s), IsEmpty()) << "two readings again";
}

TEST_F(BudgetWatchTest, ASinglePeakIsNoCase) {
  (void)see(11_GiB, 1s);
  EXPECT_THAT(see(8_GiB, 2s), IsEmpty());
  EXPECT_THAT(see(11_GiB, 3s), IsEmpty());
}

TEST_F(BudgetWatchTest, TheCommandRunsFirstAndTheGraceBeginsAfterIt) {
  with_command();
  (void)see(11_GiB, 1s);
  EXPECT_THAT(see(11_GiB, 2s), ElementsAre(HasSubstr("the pressure command runs now, then it has 10 s"), "run"));
  EXPECT_THAT(see(11_GiB, 25s), IsEmpty()) << "it runs still";
  (void)watch_.on_pressure_command_ended(MonoTime(30s));
  EXPECT_THAT(see(11_GiB, 39s), IsEmpty());
  EXPECT_THAT(see(11_GiB, 40s), ElementsAre(HasSubstr("SIGTERM now"), "signal 15"));
}

TEST_F(BudgetWatchTest, NothingIsTerminatedAfterACommandThatFreed) {
  with_command();
  (void)see(11_GiB, 1s);
  (void)see(11_GiB, 2s);
  EXPECT_THAT(see(5_GiB, 3s), IsEmpty()) << "while it runs nothing is decided";
  (void)watch_.on_pressure_command_ended(MonoTime(4s));
  EXPECT_THAT(see(5_GiB, 5s), ElementsAre(HasSubstr("nothing is terminated")));
  EXPECT_FALSE(watch_.terminated_for());
}

TEST_F(BudgetWatchTest, WhatIsNotKnownIsToldOnceAndNothingIsDone) {
  EXPECT_THAT(see(unknown("lost", 1s)), ElementsAre(AllOf(HasSubstr("cannot be enforced"), HasSubstr("GPU 1: lost"))));
  EXPECT_THAT(see(unknown("lost", 2s)), IsEmpty());
  EXPECT_THAT(see(unknown("gone", 3s)), ElementsAre(HasSubstr("still cannot be enforced")));
  EXPECT_THAT(see(1_GiB, 4s), ElementsAre(HasSubstr("can be measured again")));
}

TEST_F(BudgetWatchTest, WhatIsKnownAlreadyMayBeTooMuchButNeverLittleEnough) {
  (void)see(unknown("lost", 1s, 11_GiB));
  EXPECT_THAT(see(unknown("lost", 2s, 11_GiB)), ElementsAre(HasSubstr("holds 11.0 GiB")));
  EXPECT_THAT(see(unknown("lost", 3s, 1_GiB)), IsEmpty());
  EXPECT_EQ(watch_.state(), State::Grace);
  EXPECT_THAT(see(unknown("lost", 30s, 1_GiB)), IsEmpty()) << "not over by what is known: nothing is terminated";
}

TEST_F(BudgetWatchTest, OfASimulationNothingIsDone) {
  with_command();
  for (int second = 1; second < 100; ++second) {
    const auto words = see(holding(11_GiB, std::chrono::seconds(second), Provenance::Simulated));
    if (second == 2) {
      EXPECT_THAT(words, ElementsAre(HasSubstr("dry run, for the numbers are simulated")));
    } else {
      EXPECT_THAT(words, IsEmpty());
    }
  }
  EXPECT_THAT(see(holding(1_GiB, 200s, Provenance::Simulated)), ElementsAre(HasSubstr("within its budget again")));
}

TEST_F(BudgetWatchTest, NoGraceIsTwoReadingsAndOneMore) {
  watch_ = BudgetWatch({{std::nullopt, {{0, 1_GiB}}}, 0s, false});
  (void)see(2_GiB, 1s);
  (void)see(2_GiB, 2s);
  EXPECT_THAT(see(2_GiB, 3s), ElementsAre(HasSubstr("on GPU 0"), "signal 15", HasSubstr("SIGKILL"), "signal 9"));
}

}  // namespace
}  // namespace dualgpuopt::memory::job
