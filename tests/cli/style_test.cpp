#include "cli/style.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdlib>

namespace dualgpuopt::memory::cli {
namespace {

TEST(Bar, FillsInEighthsOfAColumn) {
  EXPECT_EQ(bar(0, 4), "░░░░");
  EXPECT_EQ(bar(0.5, 4), "██░░");
  EXPECT_EQ(bar(0.59, 4), "██▍░");
  EXPECT_EQ(bar(1, 4), "████");
  EXPECT_EQ(bar(1.7, 4), "████");
  EXPECT_EQ(bar(-1, 4), "░░░░");
  EXPECT_EQ(bar(0.5, 0), "");
}

TEST(Fit, CutsWithAMarkAndFillsWithBlanks) {
  EXPECT_EQ(fit("H100", 6), "H100  ");
  EXPECT_EQ(fit_right("H100", 6), "  H100");
  EXPECT_EQ(fit("NVIDIA H100", 6), "NVIDI…");
  EXPECT_EQ(fit("Grün", 4), "Grün");
  EXPECT_EQ(fit("Grüner", 4), "Grü…");
  EXPECT_EQ(fit("any", 0), "");
}

TEST(Fit, LetsNothingThroughThatATerminalActsOn) { EXPECT_EQ(fit("a\x1b[2Jb\n", 9), "a?[2Jb?  "); }

TEST(Paint, ColoursOnlyWhenAsked) {
  EXPECT_EQ(paint("full", Level::Emergency, Colors::Off), "full");
  EXPECT_EQ(paint("full", Level::Warning, Colors::On), "\x1b[33mfull\x1b[0m");
  EXPECT_EQ(display_width(paint("full", Level::Emergency, Colors::On)), 4U);
}

TEST(ChooseColors, RespectsNoColorAndDumbTerminals) {
  ::unsetenv("NO_COLOR");
  ::setenv("TERM", "xterm", 1);
  EXPECT_EQ(choose_colors(true), Colors::On);
  EXPECT_EQ(choose_colors(false), Colors::Off);
  ::setenv("TERM", "dumb", 1);
  EXPECT_EQ(choose_colors(true), Colors::Off);
  ::setenv("TERM", "xterm", 1);
  ::setenv("NO_COLOR", "1", 1);
  EXPECT_EQ(choose_colors(true), Colors::Off);
  ::setenv("NO_COLOR", "", 1);
  EXPECT_EQ(choose_colors(true), Colors::On);
  ::unsetenv("NO_COLOR");
}

RC_GTEST_PROP(Fit, IsAlwaysAsWideAsAsked, (const std::string& text)) {
  const auto width = *rc::gen::inRange<std::size_t>(0, 30);
  std::string ascii;
  for (const char c : text) ascii += static_cast<char>(static_cast<unsigned char>(c) & 0x7FU);
  RC_ASSERT(display_width(fit(ascii, width)) == width);
}

}  // namespace
}  // namespace dualgpuopt::memory::cli
