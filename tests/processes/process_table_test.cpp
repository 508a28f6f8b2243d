#include "dualgpuopt/memory/processes/process_table.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include "processes/idle_child.h"
#include "processes/proc_fixture.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::string_literals;
using fixture::directory;
using fixture::file;
using fixture::Process;
using fixture::process;
using fixture::TemporaryTree;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST(ProcessTable, ReadsEverythingOfAProcess) {
  const TemporaryTree tree{directory("proc", {process({.pid = 42,
                                                       .parent = 7,
                                                       .name = "py (worker)\n2",
                                                       .start_ticks = 99,
                                                       .group = 40,
                                                       .owner = 1000,
                                                       .arguments = "python\0train.py\0"s,
                                                       .cgroup = "/docker/ab12",
                                                       .namespaced_pids = {42, 3}})})};
  const auto info = ProcessTable(tree.root()).read(42);
  ASSERT_TRUE(info) << info.error().describe();
  EXPECT_EQ(info->identity, (ProcessIdentity{42, 99}));
  EXPECT_EQ(info->parent, 7);
  EXPECT_EQ(info->group, 40);
  EXPECT_EQ(info->owner, 1000U);
  EXPECT_EQ(info->state, ProcessState::Alive);
  EXPECT_EQ(info->name, "py (worker)\n2");
  EXPECT_THAT(info->arguments, ElementsAre("python", "train.py"));
  EXPECT_EQ(info->cgroup, "/docker/ab12");
  EXPECT_EQ(info->pid_namespace, 4026531836U);
  EXPECT_THAT(info->namespaced_pids, ElementsAre(42, 3));
}

TEST(ProcessTable, MakesDoWithWhatOldKernelsTell) {
  const Process old{.pid = 42};
  const TemporaryTree tree{directory(
      "proc", {directory("42", {file("stat", fixture::stat_text(old)), file("status", "Uid:\t5\t6\t7\t8\n")})})};
  const auto info = ProcessTable(tree.root()).read(42);
  ASSERT_TRUE(info) << info.error().describe();
  EXPECT_EQ(info->owner, 6U);
  EXPECT_EQ(info->cgroup, "");
  EXPECT_FALSE(info->pid_namespace);
  EXPECT_THAT(info->namespaced_pids, ElementsAre(42));
}

TEST(ProcessTable, ReadsWhatDecidesOverPriority) {
  const TemporaryTree tree{directory("proc", {process({.pid = 42, .nice = 10})})};
  tree.add(file("proc/42/oom_score_adj", "300\n"));
  const auto info = ProcessTable(tree.root()).read(42);
  ASSERT_TRUE(info) << info.error().describe();
  EXPECT_EQ(info->nice, 10);
  EXPECT_EQ(info->oom_score_adjustment, 300);
  EXPECT_FALSE(info->is_kernel_thread);
}

TEST(ProcessTable, TellsThePidNamespaceAlone) {
  const TemporaryTree tree{directory("proc", {process({.pid = 42}), directory("43")})};
  EXPECT_EQ(ProcessTable(tree.root()).pid_namespace(42), 4026531836U);
  EXPECT_EQ(ProcessTable(tree.root()).pid_namespace(43), std::nullopt);
  EXPECT_EQ(ProcessTable(tree.root()).pid_namespace(44), std::nullopt);
}

TEST(ProcessTable, BriefNeedsOneFileOnly) {
  const TemporaryTree tree{directory(
      "proc",
      {directory("42", {file("stat", fixture::stat_text(
                                         {.pid = 42, .parent = 7, .name = "a", .start_ticks = 9, .state = 'Z'}))})})};
  const auto brief = ProcessTable(tree.root()).read_brief(42);
  ASSERT_TRUE(brief) << brief.error().describe();
  EXPECT_EQ(brief->identity, (ProcessIdentity{42, 9}));
  EXPECT_EQ(brief->parent, 7);
  EXPECT_EQ(brief->state, ProcessState::Zombie);
  EXPECT_EQ(brief->name, "a");
  EXPECT_EQ(ProcessTable(tree.root()).read(42).error().code(), ErrorCode::NotFound) << "without status it is gone";
}

TEST(ProcessTable, NamesTheFileAndThePlaceOfBadContents) {
  const auto stat = fixture::stat_text({.pid = 42});
  const TemporaryTree tree{directory(
      "proc", {directory("41", {file("stat", stat)}), directory("42", {file("stat", "42 (a) S\n")}),
               directory("43", {file("stat", fixture::stat_text({.pid = 43})), file("status", "Uid:\tme\tme\n")}),
               directory("44", {file("stat", fixture::stat_text({.pid = 44})), file("cgroup", "0::x\n")}),
               directory("45", {file("stat", fixture::stat_text({.pid = 45})),
                                directory("ns", {fixture::link("pid", "somewhere")})})})};
  const auto expect_refusal = [&](pid_t pid, const char* file, const char* place) {
    const auto info = ProcessTable(tree.root()).read(pid);
    ASSERT_FALSE(info) << pid;
    EXPECT_EQ(info.error().code(), ErrorCode::ParseFailed);
    EXPECT_THAT(info.error().describe(), AllOf(HasSubstr(file), HasSubstr(place)));
  };
  expect_refusal(41, "/proc/41/stat", "field 1 (PID) is of another process");
  expect_refusal(42, "/proc/42/stat", "field 4 (parent PID)");
  expect_refusal(43, "/proc/43/status", "line 1 (Uid)");
  expect_refusal(44, "/proc/44/cgroup", "line 1");
  expect_refusal(45, "/proc/45/ns/pid", "INODE");
}

TEST(ProcessTable, ListsPidsInAscendingOrder) {
  const TemporaryTree tree{directory("proc", {directory("12"), directory("3"), directory("100"), directory("self"),
                                              directory("0"), directory("4x"), directory("99999999999")})};
  EXPECT_THAT(ProcessTable(tree.root()).pids(), ElementsAre(3, 12, 100));
}

TEST(ProcessTable, IsEmptyWhereThereIsNoProc) {
  const TemporaryTree tree{};
  const ProcessTable table(tree.root());
  EXPECT_THAT(table.pids(), IsEmpty());
  EXPECT_THAT(table.ancestors(1), IsEmpty());
  EXPECT_THAT(table.descendants(1), IsEmpty());
  EXPECT_EQ(table.read(1).error().code(), ErrorCode::NotFound);
}

TEST(ProcessTable, ClimbsToInitAndDescendsToEveryChild) {
  const TemporaryTree tree{
      directory("proc", {process({.pid = 1}), process({.pid = 10, .parent = 1}), process({.pid = 11, .parent = 10}),
                         process({.pid = 5, .parent = 11}), process({.pid = 12, .parent = 10}),
                         process({.pid = 20, .parent = 1}), directory("30", {file("stat", "broken")})})};
  const ProcessTable table(tree.root());
  EXPECT_THAT(table.ancestors(5), ElementsAre(11, 10, 1));
  EXPECT_THAT(table.ancestors(1), IsEmpty());
  EXPECT_THAT(table.ancestors(6), IsEmpty());
  EXPECT_THAT(table.descendants(10), ElementsAre(11, 12, 5));
  EXPECT_THAT(table.descendants(5), IsEmpty());
  EXPECT_THAT(table.descendants(6), IsEmpty());
}

TEST(ProcessTable, KeepsAParentThatItCannotRead) {
  const TemporaryTree tree{directory("proc", {process({.pid = 10, .parent = 9}), process({.pid = 7, .parent = 0})})};
  EXPECT_THAT(ProcessTable(tree.root()).ancestors(10), ElementsAre(9));
  EXPECT_THAT(ProcessTable(tree.root()).ancestors(7), IsEmpty()) << "came from outside this namespace";
}

TEST(ProcessTable, IsNotLedInRings) {
  const TemporaryTree tree{directory("proc", {process({.pid = 10, .parent = 11}), process({.pid = 11, .parent = 10}),
                                              process({.pid = 12, .parent = 12})})};
  const ProcessTable table(tree.root());
  EXPECT_THAT(table.ancestors(10), ElementsAre(11));
  EXPECT_THAT(table.descendants(10), ElementsAre(11));
  EXPECT_THAT(table.ancestors(12), IsEmpty());
  EXPECT_THAT(table.descendants(12), IsEmpty());
}

TEST(ProcessTable, TakesUserNamesFromTheInjectedRoot) {
  const TemporaryTree tree{
      directory("etc", {file("passwd",
                             "root:x:0:0:root:/root:/bin/sh\nbroken\n:x:7:7::/:\nada:x:1000:1000::/home/ada:\n"
                             "twin:x:1000:1000::/:\n")})};
  const ProcessTable table(tree.root());
  EXPECT_EQ(table.user_name(0), "root");
  EXPECT_EQ(table.user_name(1000), "ada");
  EXPECT_EQ(table.user_name(100), "100");
  EXPECT_EQ(table.user_name(7), "7") << "an empty name is none";
  EXPECT_EQ(ProcessTable(tree.root() / "nowhere").user_name(0), "0");
}

TEST(RealProcesses, ThisOneIsWhatTheSystemCallsSay) {
  const auto self = ProcessTable().read(::getpid());
  ASSERT_TRUE(self) << self.error().describe();
  EXPECT_EQ(self->identity.pid, ::getpid());
  EXPECT_GT(self->identity.start_ticks, 0U);
  EXPECT_EQ(self->parent, ::getppid());
  EXPECT_EQ(self->group, ::getpgrp());
  EXPECT_EQ(self->owner, ::geteuid());
  EXPECT_EQ(self->state, ProcessState::Alive);
  EXPECT_EQ(self->name, "processes_tests");
  EXPECT_THAT(self->arguments, Contains(HasSubstr("processes_tests")));
  EXPECT_TRUE(self->pid_namespace);
  EXPECT_EQ(self->namespaced_pids.front(), ::getpid());
  EXPECT_THAT(ProcessTable().pids(), Contains(::getpid()));
}

TEST(RealProcesses, AChildIsFoundFromItsParentAndBack) {
  const IdleChild child(") R 1\n(");
  const ProcessTable table;
  const auto info = table.read(child.pid());
  ASSERT_TRUE(info) << info.error().describe();
  EXPECT_EQ(info->name, ") R 1\n(");
  EXPECT_EQ(info->parent, ::getpid());
  EXPECT_GE(info->identity.start_ticks, table.read_brief(::getpid())->identity.start_ticks);
  EXPECT_EQ(table.ancestors(child.pid()).front(), ::getpid());
  EXPECT_THAT(table.descendants(::getpid()), Contains(child.pid()));
}

TEST(RealProcesses, AZombieIsOneUntilItIsReaped) {
  IdleChild child("victim");
  const auto identity = ProcessTable().read_brief(child.pid())->identity;
  child.kill();
  const auto zombie = ProcessTable().read(child.pid());
  ASSERT_TRUE(zombie) << zombie.error().describe();
  EXPECT_EQ(zombie->state, ProcessState::Zombie);
  EXPECT_EQ(zombie->identity, identity);
  EXPECT_THAT(zombie->arguments, IsEmpty());
  EXPECT_EQ(zombie->owner, ::geteuid());
  child.reap();
  EXPECT_EQ(ProcessTable().read(child.pid()).error().code(), ErrorCode::NotFound);
  EXPECT_EQ(ProcessTable().read_brief(child.pid()).error().code(), ErrorCode::NotFound);
  EXPECT_THAT(ProcessTable().pids(), Not(Contains(child.pid())));
}

TEST(RealProcesses, EveryProcessOfTheMachineCanBeReadOrSaysWhyNot) {
  const ProcessTable table;
  for (const auto pid : table.pids()) {
    const auto info = table.read(pid);
    EXPECT_TRUE(info || info.error().code() != ErrorCode::ParseFailed) << info.error().describe();
  }
}

}  // namespace
}  // namespace dualgpuopt::memory
