#include "dualgpuopt/memory/monitor/decision_log.h"

#include <gtest/gtest.h>

namespace dualgpuopt::memory {
namespace {

Decision numbered(std::uint64_t id) {
  Decision decision;
  decision.id = id;
  return decision;
}

TEST(DecisionLog, KeepsTheNewestInTheirOrder) {
  DecisionLog log;
  EXPECT_TRUE(log.all().empty());
  for (std::uint64_t id = 1; id <= DecisionLog::kRemembered + 3; ++id) log.add(numbered(id));
  const auto decisions = log.all();
  ASSERT_EQ(decisions.size(), DecisionLog::kRemembered);
  EXPECT_EQ(decisions.front().id, 4U);
  EXPECT_EQ(decisions.back().id, DecisionLog::kRemembered + 3);
}

}  // namespace
}  // namespace dualgpuopt::memory
