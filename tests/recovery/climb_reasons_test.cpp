#include "recovery/climb_reasons.h"

#include <gtest/gtest.h>

namespace dualgpuopt::memory {
namespace {

using enum RecoveryStrategy;

TEST(ClimbReasons, SayHowUseWentAndWhereTheTargetLies) {
  EXPECT_EQ(target_reached_reason(23_GiB + 103_MiB, 17_GiB, 18_GiB, ClearCache),
            "use fell from 23.1 GiB to 17.0 GiB, under the target of 18.0 GiB, after clear_cache");
  EXPECT_EQ(target_reached_reason(23_GiB, 18_GiB, 18_GiB, Offload),
            "use fell from 23.0 GiB to 18.0 GiB, at the target of 18.0 GiB, after offload");
  EXPECT_EQ(nothing_to_do_reason(17_GiB, 17_GiB, 18_GiB), "use is 17.0 GiB, already under the target of 18.0 GiB");
  EXPECT_EQ(nothing_to_do_reason(18_GiB, 18_GiB, 18_GiB), "use is 18.0 GiB, already at the target of 18.0 GiB");
}

TEST(ClimbReasons, SayHowMuchIsMissingEvenWhereRoundingHidesIt) {
  EXPECT_EQ(exhausted_reason(18_GiB + 12_MiB, 18_GiB, {ClearCache, Offload}),
            "use is 18.0 GiB, 12 MiB above the target of 18.0 GiB, after clear_cache, offload");
  EXPECT_EQ(exhausted_reason(22_GiB, 18_GiB, {}),
            "use is 22.0 GiB, 4.0 GiB above the target of 18.0 GiB, and no rung may run");
}

TEST(ClimbReasons, SayWhoseWordItWas) {
  EXPECT_EQ(callback_succeeded_reason(ReduceBatch),
            "reduce_batch succeeded by its callback's word; nothing was measured");
  EXPECT_EQ(no_callback_succeeded_reason({ClearCache, Terminate}),
            "no callback succeeded: tried clear_cache, terminate");
}

TEST(ClimbReasons, SayWhyNothingWasDone) {
  EXPECT_EQ(no_rungs_reason({}), "the ladder has no rungs");
  EXPECT_EQ(no_rungs_reason({ClearCache, Offload}), "no strategy is registered for clear_cache, offload");
  EXPECT_EQ(dry_run_reason(Provenance::Replayed, {ClearCache, ReduceBatch, Offload, Terminate}),
            "dry run: readings are replayed; would try clear_cache, reduce_batch, offload, terminate");
  EXPECT_EQ(dry_run_reason(Provenance::Simulated, {}), "dry run: readings are simulated; would try nothing");
  EXPECT_EQ(dry_run_reason(Provenance::Driver, {Offload}), "dry run: the ladder is set to it; would try offload");
}

TEST(ClimbReasons, SayWhereTheClimbBrokeOff) {
  EXPECT_EQ(measurement_lost_reason(1, std::nullopt, "GPU is lost"),
            "GPU 1 could not be measured before the first rung: GPU is lost");
  EXPECT_EQ(measurement_lost_reason(1, Offload, "GPU is lost"),
            "GPU 1 could not be measured after offload: GPU is lost");
  EXPECT_EQ(stopped_reason(std::nullopt), "the monitor stopped before the first rung");
  EXPECT_EQ(stopped_reason(ClearCache), "the monitor stopped after clear_cache");
  EXPECT_EQ(stopped_while_running_reason(Offload), "the monitor stopped while offload ran");
}

TEST(ClimbReasons, CountOnlyTheRungsThatWereTried) {
  const RungRecord passed_over{Terminate, RungOutcome::Skipped, "not run", std::nullopt, std::nullopt, {}};
  const RungRecord failed{Offload, RungOutcome::Failed, "boom", std::nullopt, std::nullopt, {}};
  EXPECT_EQ(tried_rungs({failed, passed_over}), std::vector{Offload});
  EXPECT_EQ(join_rungs({Offload, Terminate}), "offload, terminate");
  EXPECT_EQ(join_rungs({}), "");
}

}  // namespace
}  // namespace dualgpuopt::memory
