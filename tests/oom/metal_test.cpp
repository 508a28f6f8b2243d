#include "oom/scanned.h"

namespace dualgpuopt::memory {
namespace {

TEST(Metal, MlxHasALargestBuffer) {
  const auto error = only_error(
      "RuntimeError: [metal::malloc] Attempting to allocate 25165824000 bytes which is greater than the maximum "
      "allowed "
      "buffer size of 17179869184 bytes.");
  EXPECT_EQ(error.source, OomSource::Mlx);
  EXPECT_EQ(error.backend, OomBackend::Metal);
  EXPECT_EQ(error.requested, 25165824000);
  EXPECT_EQ(error.limit, 16_GiB);
}

TEST(Metal, MlxRunsOut) {
  EXPECT_EQ(only_error("[METAL] Command buffer execution failed: Insufficient Memory "
                       "(00000008:kIOGPUCommandBufferCallbackErrorOutOfMemory)")
                .source,
            OomSource::Mlx);
  EXPECT_EQ(only_error("[malloc_or_wait] Unable to allocate 1073741824 bytes.").requested, 1_GiB);
}

}  // namespace
}  // namespace dualgpuopt::memory
