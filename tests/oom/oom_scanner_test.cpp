#include "dualgpuopt/memory/oom/oom_scanner.h"

#include <gtest/gtest.h>

namespace dualgpuopt::memory {
namespace {

std::vector<OomError> errors_in(const std::vector<std::string>& lines) {
  OomScanner scanner;
  for (const auto& line : lines) scanner.feed(line);
  return scanner.errors();
}

TEST(OomScanner, FindsNothingWhereThereIsNothing) { EXPECT_TRUE(errors_in({"", "epoch 1", "loss 0.5"}).empty()); }

TEST(OomScanner, JoinsWhatIsSpreadOverLines) {
  const auto errors = errors_in({"step 7", "torch.OutOfMemoryError: XPU out of memory. Tried to allocate 20.00 MiB.",
                                 "GPU 3 has a total capacity of 12.00 GiB of which 5.00 MiB is free.",
                                 "Of the allocated memory 10.00 GiB is allocated by PyTorch,",
                                 "and 94.00 MiB is reserved by PyTorch but unallocated."});
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0].line, 2U);
  EXPECT_EQ(errors[0].gpu, 3);
  EXPECT_EQ(errors[0].total, 12_GiB);
  EXPECT_EQ(errors[0].allocated, 10_GiB);
  EXPECT_EQ(errors[0].reserved_unused, 94_MiB);
}

TEST(OomScanner, DoesNotJoinWhatIsFarApart) {
  std::vector<std::string> lines{"CUDA out of memory. Tried to allocate 20.00 MiB."};
  lines.resize(20);
  lines.emplace_back("GPU 3 has a total capacity of 12.00 GiB");
  EXPECT_FALSE(errors_in(lines).at(0).total);
}

TEST(OomScanner, TakesTheLinesOfOneAllocationForOneError) {
  const auto errors =
      errors_in({"ggml_backend_cuda_buffer_type_alloc_buffer: allocating 144817.04 MiB on device 0: cudaMalloc failed: "
                 "out of memory",
                 "alloc_tensor_range: failed to allocate CUDA0 buffer of size 151851674624",
                 "llama_model_load: error loading model: unable to allocate CUDA0 buffer"});
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0].phase, OomPhase::Weights);
  EXPECT_EQ(errors[0].requested, 151851674624U);
}

TEST(OomScanner, CountsTheSameErrorAndPutsTheFatalOnesFirst) {
  const std::string harmless =
      "Allocator (GPU_0_bfc) ran out of memory trying to allocate 2.00GiB. The caller indicates that this is not a "
      "failure";
  const std::string fatal = "CUDA out of memory. Tried to allocate 20.00 MiB";
  const auto errors = errors_in({harmless, fatal, harmless, fatal, fatal});
  ASSERT_EQ(errors.size(), 2U);
  EXPECT_EQ(errors[0].times, 3U);
  EXPECT_EQ(errors[0].line, 2U);
  EXPECT_FALSE(errors[1].fatal);
  EXPECT_EQ(errors[1].times, 2U);
}

TEST(OomScanner, StaysSmall) {
  OomScanner scanner;
  for (int i = 0; i < 1000; ++i)
    scanner.feed("CUDA out of memory. Tried to allocate " + std::to_string(i) + " MiB" + std::string(200'000, 'x'));
  EXPECT_EQ(scanner.errors().size(), OomScanner::kMostErrors);
  EXPECT_EQ(scanner.errors()[0].text.size(), 300U);
}

TEST(OomScanner, ReadsThroughColoursPrefixesAndBrokenCharacters) {
  const auto errors =
      errors_in({"\x1b[31m2026-01-02 [rank0]: \xff\xfe torch.OutOfMemoryError: CUDA out of memory. Tried to allocate "
                 "20.00 MiB.\x1b[0m\r"});
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0].requested, 20_MiB);
}

}  // namespace
}  // namespace dualgpuopt::memory
