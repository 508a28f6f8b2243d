#include "dualgpuopt/memory/oom/oom_scanner.h"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include "dualgpuopt/memory/oom/oom_report.h"
#include "oom/scanned.h"

namespace dualgpuopt::memory {
namespace {

using ::testing::ElementsAre;

std::string out_of_memory(int mib) {
  return "CUDA out of memory. Tried to allocate " + std::to_string(mib) + ".00 MiB\n";
}

constexpr std::string_view kPyTorch =
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 226.00 MiB. GPU 1 has a total capacity of 15.70 GiB "
    "of which 210.38 MiB is free. Process 4711 has 1.50 GiB memory in use. Including non-PyTorch memory, this process "
    "has 13.98 GiB memory in use. Of the allocated memory 12.81 GiB is allocated by PyTorch, with 17.00 MiB allocated "
    "in private pools (e.g., CUDA Graphs), and 336.73 MiB is reserved by PyTorch but unallocated.";
constexpr std::string_view kVllm =
    "ValueError: Free memory on device (59.32/79.15 GiB) on startup is less than desired GPU memory utilization (0.9, "
    "71.24 GiB). Decrease GPU memory utilization or reduce GPU memory used by other processes.";

/// Cut as terminals do it, in the middle of words, with the prefix before each line.
std::string cut(std::string_view text, std::size_t width, std::string_view prefix, std::string_view end) {
  std::string lines;
  for (; !text.empty(); text.remove_prefix(std::min(width, text.size())))
    lines.append(prefix).append(text.substr(0, width)).append(end);
  return lines;
}

void expect_all_of_pytorch(const OomError& error) {
  EXPECT_EQ(error.gpu, 1);
  EXPECT_EQ(error.requested, 226_MiB);
  EXPECT_EQ(error.total, gib(15.7));
  EXPECT_EQ(error.free, mib(210.38));
  EXPECT_EQ(error.process, gib(13.98));
  EXPECT_EQ(error.allocated, gib(12.81));
  EXPECT_EQ(error.private_pools, 17_MiB);
  EXPECT_EQ(error.reserved_unused, mib(336.73));
  EXPECT_EQ(error.others, (std::vector<OomProcess>{{4711, gib(1.5), false}}));
}

TEST(OomScanner, FindsNothingInNothing) {
  EXPECT_TRUE(scanned("").empty());
  EXPECT_TRUE(scanned("\n\n\r\n").empty());
  EXPECT_TRUE(scanned(std::string(1000, '\0')).empty());
  EXPECT_TRUE(scanned("epoch 1\nloss 0.5\n").empty());
}

TEST(OomScanner, AMessageMayBeCutAtAnyWidth) {
  for (std::size_t width = 60; width <= 200; ++width) {
    SCOPED_TRACE(width);
    expect_all_of_pytorch(only_error(cut(kPyTorch, width, "", "\n")));
    const auto vllm = only_error(cut(kVllm, width, "", "\n"));
    EXPECT_EQ(vllm.requested, gib(71.24));
    EXPECT_EQ(vllm.total, gib(79.15));
    EXPECT_EQ(vllm.utilization, 0.9);
  }
}

TEST(OomScanner, BehindThePrefixesOfLoggers) {
  for (const auto* prefix :
       {"(EngineCore_DP0 pid=123) ERROR 11-24 12:00:00 [core.py:123] ", "[rank0]: ", "\x1b[36mserver_1  |\x1b[0m ",
        "Nov 24 12:00:00 host-1 server[4711]: ", "2026-11-24T12:00:00.123456789Z stderr F ",
        "2026-11-24 12:00:00,123 - worker - ERROR - ", "[2026-11-24 12:00:00] "}) {
    SCOPED_TRACE(prefix);
    expect_all_of_pytorch(only_error(cut(kPyTorch, 1000, prefix, "\n")));
    expect_all_of_pytorch(only_error(cut(kPyTorch, 80, prefix, "\r\n")));
    EXPECT_EQ(only_error(cut(kVllm, 80, prefix, "\n")).free, gib(59.32));
  }
}

TEST(OomScanner, InAPrefixThatIsCutToo) {
  const auto line = cut(kPyTorch, 1000, "(EngineCore_DP0 pid=123) ERROR 11-24 12:00:00 [core.py:123] ", "");
  for (std::size_t width = 50; width <= 130; ++width) {
    SCOPED_TRACE(width);
    expect_all_of_pytorch(only_error(cut(line, width, "", "\n")));
  }
}

TEST(OomScanner, InUtf16AndInJson) {
  std::string wide = "\xff\xfe";
  for (const char c : kPyTorch) wide.append({c, '\0'});
  expect_all_of_pytorch(only_error(wide));
  EXPECT_EQ(only_error(R"({"log":"XPU out of memory. Tried to allocate 20.00 MiB.\nGPU 3 has a total capacity of )"
                       R"(12.00 GiB of which 5.00 MiB is free.\n","stream":"stderr"})")
                .gpu,
            3);
}

TEST(OomScanner, WhatWasReadBeforeIsNoPartOfIt) {
  const auto error = only_error("    return torch.nn.functional.linear(input, self.weight, self.bias)\n" +
                                std::string(kPyTorch) + "\nstep 8 of 100\n");
  expect_all_of_pytorch(error);
  EXPECT_TRUE(error.text.starts_with("torch.OutOfMemoryError"));
  EXPECT_EQ(error.line, 2U);
}

TEST(OomScanner, ANumberAtTheEndOfALineIsWhole) {
  EXPECT_EQ(only_error("ggml_gallocr_reserve_n: failed to allocate CUDA1 buffer of size 10345253120\n100%|###| 5/6\n")
                .requested,
            10345253120U);
}

TEST(OomScanner, DoesNotJoinWhatIsFarApart) {
  std::string text = out_of_memory(5);
  for (int i = 0; i < 20; ++i) text += "step\n";
  EXPECT_FALSE(only_error(text + "12.00 GiB total capacity;\n").total);
}

TEST(OomScanner, CountsTheSameErrorAndKeepsWhereItWasFirst) {
  const auto found = scanned("epoch 1\n" + out_of_memory(5) + "epoch 2\n" + out_of_memory(5) + out_of_memory(6));
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].times, 2U);
  EXPECT_EQ(found[0].line, 2U);
  EXPECT_EQ(found[1].line, 5U);
}

TEST(OomScanner, ShowsTheFatalFirst) {
  const auto found = scanned(
      "(GPU_0_bfc) ran out of memory trying to allocate 1GiB. The caller indicates that this is not a failure\n"
      "CUDA error: out of memory\n" +
      out_of_memory(5));
  std::vector<bool> fatal;
  for (const auto& error : found) fatal.push_back(error.fatal);
  EXPECT_THAT(fatal, ElementsAre(true, true, false));
}

TEST(OomScanner, TheEndOfALineMayBeAnyAndPiecesMayBeCutAnywhere) {
  const auto text = "a\r\n50%|##\r60%|##\rRuntimeError: \x1b[31m" + out_of_memory(5);
  for (std::size_t at = 0; at <= text.size(); ++at) {
    OomScanner scanner;
    scanner.feed(text.substr(0, at));
    scanner.feed(text.substr(at));
    const auto found = scanner.finish();
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].requested, 5_MiB);
    EXPECT_EQ(found[0].line, 2U);
  }
}

TEST(OomScanner, CutsLongLines) {
  OomScanner scanner;
  scanner.feed(out_of_memory(5).substr(0, 44));
  for (int i = 0; i < 1000; ++i) scanner.feed(std::string(10000, 'x'));
  scanner.feed("\n" + out_of_memory(6));
  EXPECT_EQ(scanner.finish().size(), 2U);
}

TEST(OomScanner, KeepsSoManyErrorsAndCountsTheOthers) {
  OomScanner scanner;
  for (int i = 1; i <= 100; ++i) scanner.feed(out_of_memory(i));
  EXPECT_EQ(scanner.finish().size(), OomScanner::kMostErrors);
  EXPECT_EQ(scanner.omitted(), 100 - OomScanner::kMostErrors);
}

TEST(OomScanner, NamesTheServerInWhichPyTorchFailed) {
  const auto error = only_error("INFO vLLM API server version 0.9\n" + std::string(kPyTorch));
  EXPECT_EQ(error.source, OomSource::PyTorch);
  EXPECT_EQ(error.application, OomSource::Vllm);
}

TEST(OomScanner, CodeThatRaisesTheErrorIsNone) {
  EXPECT_TRUE(scanned("    raise torch.cuda.OutOfMemoryError(\"CUDA out of memory.\")\n").empty());
  EXPECT_TRUE(scanned("except torch.cuda.OutOfMemoryError:  # CUDA out of memory\n").empty());
}

TEST(OomScanner, AnotherErrorAfterAWholeMessageIsAnother) {
  EXPECT_EQ(scanned(std::string(kPyTorch) + "\nCUDA error: out of memory\n").size(), 2U);
}

TEST(OomScanner, WordsOfAnotherFamilyInsideAMessageAreOfIt) {
  const auto error = only_error(
      "MemoryError: std::bad_alloc: out_of_memory: CUDA error (failed to allocate 8589934592 bytes) at:\n"
      "/x/rmm/mr/device/cuda_memory_resource.hpp:62: cudaErrorMemoryAllocation out of memory\n");
  EXPECT_EQ(error.source, OomSource::Rmm);
  EXPECT_EQ(error.requested, 8_GiB);
}

RC_GTEST_PROP(OomScanner, TakesAnyText, (const std::string& text)) {
  const auto found = scanned("CUDA out of memory. Tried to allocate " + text);
  for (const auto& error : found) {
    RC_ASSERT(!describe(error).empty());
    RC_ASSERT(to_json(error).find('\n') == std::string::npos);
  }
}

}  // namespace
}  // namespace dualgpuopt::memory
