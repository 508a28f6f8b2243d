#include "recovery/terminate_words.h"

#include <gtest/gtest.h>

namespace dualgpuopt::memory {
namespace {

TEST(TerminateWords, OfADryRun) {
  const std::vector<Candidate> nobody{{"p", 1_GiB, std::nullopt, false, ""}};
  EXPECT_EQ(dry_run_reason({}, Provenance::Simulated, nobody, 2_GiB, 1_GiB),
            "dry run: readings are simulated; would end nobody: no process may be ended");
  const std::vector<Candidate> one{{"p, PID 1", 1_GiB, 1, true, ""}};
  EXPECT_EQ(
      dry_run_reason({}, Provenance::Driver, one, 4_GiB, 1_GiB),
      "dry run; would end p, PID 1 (1.0 GiB), with TERM, and KILL after 5 s; 3.0 GiB would be left, still above the "
      "target of 1.0 GiB");
}

TEST(TerminateWords, OfAReportHoldAllItsVictims) {
  TerminateReport report;
  report.reason = "use is low";
  EXPECT_EQ(describe(report), "use is low");
  report.victims.resize(1);
  report.victims[0].record.detail = "p was ended";
  EXPECT_EQ(describe(report), "p was ended; use is low");
}

TEST(TerminateWords, OfEnoughAndOfNobody) {
  EXPECT_EQ(enough_reason(1_GiB, 2_GiB), "use is 1.0 GiB, under the target of 2.0 GiB");
  EXPECT_EQ(
      no_victim_reason(3, 2_GiB, 1_GiB, 4),
      "use is 2.0 GiB, 1.0 GiB above the target of 1.0 GiB, and nobody else of 4 processes on GPU 3 may be ended");
}

}  // namespace
}  // namespace dualgpuopt::memory
