#include "dualgpuopt/memory/core/error.h"

#include <gtest/gtest.h>

namespace dualgpuopt::memory {
namespace {

TEST(Error, DescribesItselfFromTheOutermostStepInwards) {
  const auto error = Error(ErrorCode::ParseFailed, "no number").with_context("line 3").with_context("trace a.csv");
  EXPECT_EQ(error.describe(), "trace a.csv: line 3: no number");
  EXPECT_EQ(error.message(), "no number");
}

TEST(Error, TravelsThroughResults) {
  const Result<int> inner = fail(ErrorCode::TimedOut, "too late");
  const Result<std::string> outer = fail(Error(inner.error()).with_context("GPU 0"));
  EXPECT_EQ(outer.error().code(), ErrorCode::TimedOut);
  EXPECT_EQ(outer.error().describe(), "GPU 0: too late");
  EXPECT_EQ(to_string(outer.error().code()), "timed_out");
}

TEST(InQuotes, IsShortAndHarmless) {
  EXPECT_EQ(in_quotes("8 GXB"), "\"8 GXB\"");
  EXPECT_EQ(in_quotes("\x1b[31m\xff"), "\"?[31m?\"");
  EXPECT_EQ(in_quotes(std::string(1000, 'x')).size(), 45U);
}

}  // namespace
}  // namespace dualgpuopt::memory
