#include "job/pressure_command.h"

#include <gtest/gtest.h>

#include "job/launched.h"

namespace dualgpuopt::memory::job {
namespace {

using namespace std::chrono_literals;

/// How `command` ends, in a child, because signals are blocked for good.
int ended(const std::string& command, const PressureCause& cause, Duration limit = 1h) {
  return exit_code_in_child([&] {
    const JobSignals signals;
    PressureCommand pressure(command, limit, signals);
    const auto started = pressure.start(cause, 42, MonoTime(0s));
    if (!started) return 99;
    if (pressure.enforce_limit(MonoTime(1min)) == (limit > 1min)) return 98;
    if (pressure.enforce_limit(MonoTime(1min))) return 97;  // once
    const int code = exit_code_of(*started);
    return pressure.has_ended(*started) && !pressure.is_running() ? code : 96;
  });
}

TEST(PressureCommand, IsToldWhy) {
  EXPECT_EQ(ended("test \"$GPUMEM_JOB,$GPUMEM_GPU,$GPUMEM_USED_BYTES,$GPUMEM_BUDGET_BYTES,$GPUMEM_REASON\" = "
                  "42,1,5,4,budget",
                  {1, 5, 4, "budget"}),
            0);
  EXPECT_EQ(ended("test \"$GPUMEM_GPU,$GPUMEM_BUDGET_BYTES\" = ,", {{}, 5, {}, "critical"}), 0);
}

TEST(PressureCommand, HasNothingToReadAndAGroupOfItsOwn) {
  EXPECT_EQ(ended("read x && exit 1; test $(ps -o pgid= $$) = $$", {}), 0);
}

TEST(PressureCommand, IsKilledWhenItsTimeIsUp) { EXPECT_EQ(ended("sleep 1000", {}, 1s), 128 + SIGKILL); }

}  // namespace
}  // namespace dualgpuopt::memory::job
