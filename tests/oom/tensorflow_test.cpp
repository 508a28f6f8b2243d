#include "oom/scanned.h"

namespace dualgpuopt::memory {
namespace {

TEST(TensorFlow, ReckonsTheSizeFromTheShape) {
  // tensorflow/models issue 7142
  const auto error = only_error(
      "ResourceExhaustedError (see above for traceback): OOM when allocating tensor with shape[500,17,17,4032] and "
      "type "
      "float on /job:localhost/replica:0/task:0/device:GPU:0 by allocator GPU_0_bfc.");
  EXPECT_EQ(error.source, OomSource::TensorFlow);
  EXPECT_EQ(error.gpu, 0);
  EXPECT_EQ(error.shape, (std::vector<std::uint64_t>{500, 17, 17, 4032}));
  EXPECT_EQ(error.dtype, "float");
  EXPECT_EQ(error.requested, 2330496000);
  EXPECT_EQ(error.derived, (std::vector<std::string>{"requested_bytes"}));
}

TEST(TensorFlow, ReckonsNothingFromShapesThatAreNone) {
  for (const auto* text :
       {"OOM when allocating tensor with shape[2,-1] and type float",
        "OOM when allocating tensor with shape[] and type float",
        "OOM when allocating tensor with shape[9999999999,9999999999] and type float",
        "OOM when allocating tensor with shape[2,2] and type variant", "OOM when allocating tensor with shape[2,"}) {
    EXPECT_FALSE(only_error(text).requested) << text;
  }
}

TEST(TensorFlow, ARetryIsNotFatal) {
  const auto error = only_error(
      "W tensorflow/core/common_runtime/bfc_allocator.cc:245] Allocator (GPU_1_bfc) ran out of memory trying to "
      "allocate "
      "2.22GiB with freed_by_count=0. The caller indicates that this is not a failure, but may mean that there could "
      "be "
      "performance gains if more memory were available.");
  EXPECT_FALSE(error.fatal);
  EXPECT_EQ(error.gpu, 1);
  EXPECT_EQ(error.requested, gib(2.22));
}

TEST(TensorFlow, TheAllocatorsAccountBelongsToItsError) {
  std::string log =
      "W tensorflow/core/common_runtime/bfc_allocator.cc:439] Allocator (GPU_0_bfc) ran out of memory trying to "
      "allocate "
      "2.00GiB (rounded to 2147483648)  requested by op conv\n";
  for (int i = 0; i < 300; ++i)
    log += "I tensorflow/core/common_runtime/bfc_allocator.cc:901] Chunk at 7f of size 256\n";
  log +=
      "I tensorflow/core/common_runtime/bfc_allocator.cc:917] total_region_allocated_bytes_: 10712449024 "
      "memory_limit_: "
      "10712449025 available bytes: 1\nI tensorflow/core/common_runtime/bfc_allocator.cc:923] Stats: \n"
      "Limit:                     10712449025\nInUse:                      9712449024\n"
      "OP_REQUIRES failed at conv.cc:1 : Resource exhausted: OOM when allocating tensor with shape[1024,1024,512] and "
      "type float on /job:localhost/replica:0/task:0/device:GPU:0 by allocator GPU_0_bfc\n";
  const auto error = only_error(log);
  EXPECT_TRUE(error.fatal);
  EXPECT_EQ(error.requested, 2147483648);
  EXPECT_EQ(error.limit, 10712449025);
  EXPECT_EQ(error.allocated, 9712449024);
  EXPECT_EQ(error.reserved, 10712449024);
}

TEST(TensorFlow, TheDriversRefusalsAreOne) {
  const auto error = only_error(
      "E tensorflow/stream_executor/cuda/cuda_driver.cc:828] failed to allocate 2.00G (2147483648 bytes) from device: "
      "CUDA_ERROR_OUT_OF_MEMORY: out of memory\n"
      "E tensorflow/stream_executor/cuda/cuda_driver.cc:828] failed to allocate 1.80G (1932735232 bytes) from device: "
      "CUDA_ERROR_OUT_OF_MEMORY: out of memory\n");
  EXPECT_EQ(error.times, 2U);
  EXPECT_EQ(error.requested, 2_GiB);
}

TEST(TensorFlow, OlderAndOtherWords) {
  const auto old = only_error("OOM when allocating tensor of shape [1024,1024] and type float on /gpu:1 by allocator");
  EXPECT_EQ(old.requested, 4_MiB);
  EXPECT_EQ(old.gpu, 1);
  EXPECT_EQ(only_error("InternalError: Dst tensor is not initialized.").source, OomSource::TensorFlow);
  EXPECT_EQ(only_error("InternalError: Failed to allocate memory [Op:Mul]").source, OomSource::TensorFlow);
  EXPECT_TRUE(only_error("could not allocate pinned host memory of size: 4294967296").is_host());
}

TEST(TensorFlow, AWarningOfManyBytesIsNoError) {
  EXPECT_TRUE(
      scanned("W cpu_allocator_impl.cc:82] Allocation of 1228800000 exceeds 10% of free system memory.").empty());
}

TEST(TensorFlow, HipRefusesToo) {
  // keras-team/keras issue 13889
  const auto error = only_error(
      "E tensorflow/compiler/xla/stream_executor/rocm/rocm_driver.cc:606] failed to allocate 127.99TiB "
      "(140729850295296 bytes) from device: HIP_ERROR_OutOfMemory");
  EXPECT_EQ(error.backend, OomBackend::Hip);
  EXPECT_EQ(error.requested, 140729850295296);
  EXPECT_TRUE(is_implausible(error, "requested_bytes"));
}

}  // namespace
}  // namespace dualgpuopt::memory
