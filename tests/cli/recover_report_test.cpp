#include "cli/recover_report.h"

#include <gtest/gtest.h>

namespace dualgpuopt::memory::cli {
namespace {

TEST(RecoverReport, ShowsCandidatesAndWhatWasDone) {
  Decision decision;
  decision.gpu = 1;
  decision.mode = ActionMode::Execute;
  decision.evidence.memory = MemoryUse::from_used_and_total(20_GiB, 24_GiB);
  decision.target_used = 12_GiB;
  decision.end = DecisionEnd::TargetReached;
  decision.reason = "use is 8.0 GiB, under the target of 12.0 GiB";
  RungRecord rung;
  rung.detail = "python, PID 10, of alice was ended by TERM";
  rung.candidates = {{"python, PID 10, of alice", 12_GiB, 2, true, "holds 12.0 GiB"},
                     {"sshd, PID 5, of root", std::nullopt, std::nullopt, false, "it is protected"}};
  decision.rungs.push_back(rung);
  EXPECT_EQ(describe_relief(decision),
            "GPU 1  20.0 / 24.0 GiB  target 12.0 GiB\n"
            "\n   score   memory  process\n"
            "->   2   12.0 GiB  python, PID 10, of alice: holds 12.0 GiB\n"
            "     -  not known  sshd, PID 5, of root: it is protected\n"
            "python, PID 10, of alice was ended by TERM\n"
            "\ntarget_reached: use is 8.0 GiB, under the target of 12.0 GiB\n");
}

TEST(RecoverReport, LabelsADryRunAndASimulation) {
  Decision decision;
  decision.provenance = Provenance::Simulated;
  decision.reason = "dry run; would end nobody";
  EXPECT_EQ(describe_relief(decision), "GPU 0  target 0 B  dry run  SIMULATED\n\ndry_run: dry run; would end nobody\n");
}

}  // namespace
}  // namespace dualgpuopt::memory::cli
