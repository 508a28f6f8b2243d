#include "oom/scanned.h"

namespace dualgpuopt::memory {
namespace {

TEST(Libraries, OnnxRuntime) {
  // microsoft/onnxruntime issues 9939 and 22702
  EXPECT_EQ(only_error("bfc_arena.cc:331 void* onnxruntime::BFCArena::AllocateRawInternal(size_t, bool) Failed to "
                       "allocate memory for requested buffer of size 8388608000")
                .requested,
            8388608000);
  const auto corrupt = only_error("Failed to allocate memory for requested buffer of size 4585490524328388608");
  EXPECT_EQ(corrupt.requested, 4585490524328388608);
  EXPECT_EQ(corrupt.implausible, (std::vector<std::string>{"requested_bytes"}));
  const auto smaller = only_error("Available memory of 1048576 is smaller than requested bytes of 8388608");
  EXPECT_EQ(smaller.free, 1_MiB);
  EXPECT_EQ(smaller.requested, 8_MiB);
}

TEST(Libraries, CuPy) {
  const auto error = only_error(
      "cupy.cuda.memory.OutOfMemoryError: Out of memory allocating 8,000,000,000 bytes (allocated so far: "
      "4,000,000,000 "
      "bytes, limit set to: 9,000,000,000 bytes).");
  EXPECT_EQ(error.source, OomSource::CuPy);
  EXPECT_EQ(error.requested, 8000000000);
  EXPECT_EQ(error.allocated, 4000000000);
  EXPECT_EQ(error.limit, 9000000000);
}

TEST(Libraries, Rmm) {
  // rapidsai/rmm issue 1421
  EXPECT_EQ(only_error("MemoryError: std::bad_alloc: out_of_memory: RMM failure at:/x/rmm/mr/device/"
                       "pool_memory_resource.hpp:196: Maximum pool size exceeded")
                .source,
            OomSource::Rmm);
  EXPECT_EQ(only_error("std::bad_alloc: out_of_memory: CUDA error (failed to allocate 8589934592 bytes) at: "
                       "/x/rmm/mr/device/cuda_memory_resource.hpp:62: cudaErrorMemoryAllocation out of memory")
                .requested,
            8_GiB);
}

TEST(Libraries, Paddle) {
  const auto error = only_error(
      "ResourceExhaustedError: Out of memory error on GPU 1. Cannot allocate 1.953125GB memory on GPU 1, 10.5GB memory "
      "has been allocated and available memory is only 100MB.");
  EXPECT_EQ(error.source, OomSource::Paddle);
  EXPECT_EQ(error.gpu, 1);
  EXPECT_EQ(error.requested, gib(1.953125));
  EXPECT_EQ(error.allocated, gib(10.5));
  EXPECT_EQ(error.free, 100_MiB);
}

TEST(Libraries, CudaJl) {
  const auto error = only_error(
      "ERROR: Out of GPU memory trying to allocate 7.451 GiB\nEffective GPU memory usage: 99.51% (7.751 GiB/7.789 "
      "GiB)\n"
      "Memory pool usage: 2.345 GiB (3.000 GiB reserved)\n");
  EXPECT_EQ(error.requested, gib(7.451));
  EXPECT_EQ(error.total, gib(7.789));
  EXPECT_EQ(error.allocated, gib(2.345));
  EXPECT_EQ(error.reserved, 3_GiB);
}

TEST(Libraries, TensorRt) {
  EXPECT_EQ(only_error("[TRT] [E] Error Code 2: OutOfMemory (Requested size was 1207959552 bytes.)").requested,
            1207959552);
}

TEST(Libraries, OlderAndNewerWords) {
  const auto cupy = only_error("OutOfMemoryError: out of memory to allocate 419430400 bytes (total 10737418240 bytes)");
  EXPECT_EQ(cupy.requested, 419430400);
  EXPECT_EQ(cupy.allocated, 10737418240);
  const auto pool = only_error(
      "MemoryError: std::bad_alloc: out_of_memory: RMM failure at:/rmm/mr/device/pool_memory_resource.hpp:272: Maximum "
      "pool size exceeded (failed to allocate 18.50 GiB): Not enough room to grow, current/max/try size = 22.00 GiB, "
      "24.00 GiB, 18.50 GiB");
  EXPECT_EQ(pool.requested, gib(18.5));
  EXPECT_EQ(pool.reserved, 22_GiB);
  EXPECT_EQ(pool.limit, 24_GiB);
  EXPECT_EQ(only_error("RuntimeError: RMM error encountered at: /rmm/x.pyx: 4 RMM_ERROR_OUT_OF_MEMORY").source,
            OomSource::Rmm);
  EXPECT_EQ(only_error("onnxruntime: CUDA failure 2: out of memory ; GPU=1 ; hostname=h ; expr=cudaMalloc()").gpu, 1);
  EXPECT_EQ(
      only_error("[TRT] [E] 1: [defaultAllocator.cpp::allocate::20] Error Code 1: Cuda Runtime (out of memory)").source,
      OomSource::TensorRt);
}

TEST(Libraries, ASkippedTacticIsNotFatal) {
  const auto error =
      only_error("[W] Tactic Device request: 5138MB Available: 2998MB. Device memory is insufficient to use tactic.");
  EXPECT_FALSE(error.fatal);
  EXPECT_EQ(error.requested, 5138_MiB);
  EXPECT_EQ(error.free, 2998_MiB);
}

TEST(Libraries, NumPyIsOnTheHost) {
  const auto error = only_error(
      "numpy.core._exceptions._ArrayMemoryError: Unable to allocate 3.50 GiB for an array with shape (50000, 9408) and "
      "data type float64");
  EXPECT_TRUE(error.is_host());
  EXPECT_EQ(error.requested, gib(3.5));
}

}  // namespace
}  // namespace dualgpuopt::memory
