#include "oom/scanned.h"

namespace dualgpuopt::memory {
namespace {

TEST(Cuda, KnowsTheRuntimesWords) {
  for (const auto* text :
       {"RuntimeError: CUDA error: out of memory", "what(): cudaErrorMemoryAllocation: out of memory",
        "Call to cuMemAlloc results in CUDA_ERROR_OUT_OF_MEMORY",
        "cuda runtime error (2) : out of memory at THCStorage.cu:58",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "NCCL WARN Cuda failure 2 'out of memory'", "CUDA failed with error out of memory"}) {
    EXPECT_FALSE(only_error(text).requested) << text;
  }
}

TEST(Cuda, ReadsWhatProgramsAdd) {
  // antirez/ds4 issue 78
  EXPECT_EQ(only_error("ds4: CUDA q8 fp16 cache alloc failed (64.00 MiB): out of memory").requested, 64_MiB);
  const auto ggml = only_error(
      "CUDA error: out of memory\n  current device: 3, in function alloc at ggml-cuda.cu:503\n"
      "  cuMemCreate(&handle, reserve_size, &prop, 0)\n");
  EXPECT_EQ(ggml.gpu, 3);
  EXPECT_EQ(ggml.source, OomSource::LlamaCpp);
}

TEST(Cuda, OtherErrorsAreNone) {
  EXPECT_TRUE(scanned("CUDA error: an illegal memory access was encountered").empty());
  EXPECT_TRUE(scanned("memory: 12 GiB free, allocation succeeded").empty());
}

TEST(Cuda, KnowsOtherRuntimes) {
  const auto backend = [](std::string_view text) { return only_error(text).backend; };
  EXPECT_EQ(backend("RuntimeError: HIP error: out of memory"), OomBackend::Hip);
  EXPECT_EQ(backend("hipErrorOutOfMemory (2): out of memory"), OomBackend::Hip);
  EXPECT_EQ(backend("HSA_STATUS_ERROR_OUT_OF_RESOURCES: The runtime failed to allocate the necessary resources."),
            OomBackend::Hip);
  EXPECT_EQ(backend("[drm:amdgpu_cs_ioctl [amdgpu]] *ERROR* Not enough memory for command submission!"),
            OomBackend::Hip);
  EXPECT_EQ(backend("vk::Queue::submit: VK_ERROR_OUT_OF_DEVICE_MEMORY"), OomBackend::Vulkan);
  EXPECT_EQ(backend("level_zero backend failed with error: 39 (UR_RESULT_ERROR_OUT_OF_DEVICE_MEMORY)"),
            OomBackend::Sycl);
  EXPECT_EQ(backend("Native API returns: -5 (PI_ERROR_OUT_OF_RESOURCES)"), OomBackend::Sycl);
  EXPECT_EQ(backend("clEnqueueNDRangeKernel(): CL_MEM_OBJECT_ALLOCATION_FAILURE"), OomBackend::OpenCl);
}

TEST(Cuda, KnowsTheProgramBehindIt) {
  const auto source = [](std::string_view text) { return only_error(text).source; };
  EXPECT_EQ(source("CUDA error 2 at ggml-cuda.cu:7233: out of memory"), OomSource::LlamaCpp);
  EXPECT_EQ(source("torch.AcceleratorError: CUDA error: out of memory"), OomSource::PyTorch);
  EXPECT_EQ(source("THCudaCheck FAIL file=/pytorch/aten/src/THC/THCGeneral.cpp line=663 error=2 : out of memory"),
            OomSource::PyTorch);
  EXPECT_EQ(source("InternalError: CUDA runtime implicit initialization on GPU:0 failed. Status: out of memory"),
            OomSource::TensorFlow);
  EXPECT_EQ(source("cupy.cuda.runtime.CUDARuntimeError: cudaErrorMemoryAllocation: out of memory"), OomSource::CuPy);
  EXPECT_EQ(source("[TensorRT-LLM][ERROR] CUDA runtime error in ::cudaMallocAsync(ptr, n, pool, s): out of memory"),
            OomSource::TensorRt);
  EXPECT_EQ(source("[TM][ERROR] CUDA runtime error: out of memory src/turbomind/utils/allocator.h:246"),
            OomSource::Cuda);
}

TEST(Cuda, KnowsTheWordsOfManyPrograms) {
  for (const auto* text :
       {"RuntimeError: CUDA driver error: out of memory", "GPUassert: out of memory kernels.cu 12",
        "Error out of memory at line 380 in file /csrc/pythonInterface.c", "CUDA Error: out of memory: File exists",
        "Check failed: error == cudaSuccess (2 vs. 0)  out of memory", "cuMemAlloc failed: out of memory",
        "OpenCV(4.5.1) error: (-217:Gpu API call) out of memory in function 'allocate'",
        "RuntimeError: cusolver error: CUSOLVER_STATUS_ALLOC_FAILED, when calling", "cuFFT error: CUFFT_ALLOC_FAILED",
        "System is out of GPU memory", "RuntimeError: Insufficient VRAM for model and cache",
        "NVRM: nvAssertFailed: Out of memory [NV_ERR_NO_MEMORY] (0x00000051)"}) {
    EXPECT_EQ(scanned(text).size(), 1U) << text;
  }
}

TEST(Cuda, ReadsTheNumbersOfPrograms) {
  const auto faiss = only_error(
      "StandardGpuResources: alloc fail type TemporaryMemoryOverflow dev 1 space Device stream 0x5 size 1610612736 "
      "bytes (cudaMalloc error out of memory [2])");
  EXPECT_EQ(faiss.gpu, 1);
  EXPECT_EQ(faiss.requested, 1610612736U);
  const auto xgboost = only_error(
      "Memory allocation error on worker 0: std::bad_alloc: cudaErrorMemoryAllocation: out of memory\n"
      "- Free memory: 1048576\n- Requested memory: 8388608\n");
  EXPECT_EQ(xgboost.free, 1_MiB);
  EXPECT_EQ(xgboost.requested, 8_MiB);
}

TEST(Cuda, ReadsWhatLoadersSay) {
  const auto error = only_error("Insufficient VRAM. Required: 10.5 GiB, available: 8 GiB");
  EXPECT_EQ(error.requested, gib(10.5));
  EXPECT_EQ(error.free, 8_GiB);
  EXPECT_EQ(only_error("RuntimeError: CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported "
                       "at some other API call\n")
                .source,
            OomSource::PyTorch);
}

}  // namespace
}  // namespace dualgpuopt::memory
