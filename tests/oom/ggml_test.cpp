#include "oom/scanned.h"

namespace dualgpuopt::memory {
namespace {

TEST(Ggml, TheBufferAndWhatWantedItAreOneError) {
  // ggml-org/llama.cpp issue 11476
  const auto error = only_error(
      "ggml_backend_cuda_buffer_type_alloc_buffer: allocating 9866.00 MiB on device 1: cudaMalloc failed: out of "
      "memory\n"
      "ggml_gallocr_reserve_n: failed to allocate CUDA1 buffer of size 10345253120\n"
      "llama_kv_cache_update_impl: failed to allocate compute buffers\n");
  EXPECT_EQ(error.source, OomSource::LlamaCpp);
  EXPECT_EQ(error.backend, OomBackend::Cuda);
  EXPECT_EQ(error.phase, OomPhase::Compute);
  EXPECT_EQ(error.gpu, 1);
  EXPECT_EQ(error.requested, 10345253120);
  EXPECT_TRUE(error.fatal);
}

TEST(Ggml, Weights) {
  const auto error = only_error(
      "ggml_backend_cuda_buffer_type_alloc_buffer: allocating 144817.04 MiB on device 12: cudaMalloc failed: out of "
      "memory\nalloc_tensor_range: failed to allocate CUDA12 buffer of size 151851674624\n"
      "llama_model_load: error loading model: unable to allocate CUDA12 buffer\n");
  EXPECT_EQ(error.phase, OomPhase::Weights);
  EXPECT_EQ(error.gpu, 12);
}

TEST(Ggml, TheKvCache) {
  const auto error = only_error(
      "ggml_backend_cuda_buffer_type_alloc_buffer: allocating 8192.00 MiB on device 0: cudaMalloc failed: out of "
      "memory\n"
      "alloc_tensor_range: failed to allocate CUDA0 buffer of size 8589934592\n"
      "llama_init_from_model: failed to initialize the context: failed to allocate buffer for kv cache\n");
  EXPECT_EQ(error.phase, OomPhase::KvCache);
  EXPECT_EQ(error.requested, 8_GiB);
}

TEST(Ggml, WithoutPipelineParallelismItGoesOn) {
  const auto error = only_error(
      "ggml_backend_cuda_buffer_type_alloc_buffer: allocating 2048.00 MiB on device 0: cudaMalloc failed: out of "
      "memory\n"
      "ggml_gallocr_reserve_n: failed to allocate CUDA0 buffer of size 2147483648\n"
      "graph_reserve: failed to allocate compute buffers\n"
      "llama_context: compute buffer allocation failed, retrying without pipeline parallelism\n");
  EXPECT_FALSE(error.fatal);
}

TEST(Ggml, Vulkan) {
  // ggml-org/llama.cpp issue 29270
  const auto error = only_error(
      "ggml_vulkan: Device memory allocation of size 369827840 failed.\n"
      "ggml_vulkan: vk::Device::allocateMemory: ErrorOutOfDeviceMemory\n");
  EXPECT_EQ(error.backend, OomBackend::Vulkan);
  EXPECT_EQ(error.requested, 369827840);
}

TEST(Ggml, InsideOllamaItIsOllamas) {
  EXPECT_EQ(only_error("ollama[1418]: loading\n"
                       "ggml_backend_cuda_buffer_type_alloc_buffer: allocating 45108.64 MiB on device 0: cudaMalloc "
                       "failed: out of memory\n")
                .source,
            OomSource::Ollama);
}

TEST(Ggml, PinnedMemoryIsTheHosts) {
  const auto error =
      only_error("ggml_cuda_host_malloc: failed to allocate 1024.00 MiB of pinned memory: out of memory");
  EXPECT_EQ(error.backend, OomBackend::Host);
  EXPECT_FALSE(error.fatal);
  EXPECT_EQ(error.requested, 1_GiB);
}

TEST(Ggml, AFitThatFailsIsNotFatal) {
  // ggml-org/llama.cpp issue 19437
  const auto error = only_error(
      "llama_params_fit: failed to fit params to free device memory: n_gpu_layers already set by user to 99, abort");
  EXPECT_FALSE(error.fatal);
  EXPECT_EQ(error.phase, OomPhase::Startup);
}

TEST(Ggml, APassOfTheFitIsNoError) {
  EXPECT_TRUE(
      scanned("llama_params_fit_impl: projected to use 45678 MiB of device memory vs. 24000 MiB of free device "
              "memory\nllama_params_fit_impl: cannot meet free memory target of 1024 MiB, need to reduce device "
              "memory by 22702 MiB\nload_tensors:        CUDA0 model buffer size =     0.00 MiB\n")
          .empty());
}

TEST(Ggml, OtherBackends) {
  const auto hip = only_error("alloc_tensor_range: failed to allocate ROCm1 buffer of size 1073741824");
  EXPECT_EQ(hip.backend, OomBackend::Hip);
  EXPECT_EQ(hip.gpu, 1);
  const auto metal = only_error(
      "ggml_backend_metal_buffer_type_alloc_buffer: error: failed to allocate buffer, size = "
      "8192.00 MiB");
  EXPECT_EQ(metal.backend, OomBackend::Metal);
  EXPECT_EQ(metal.requested, 8_GiB);
  const auto sycl =
      only_error("ggml_backend_sycl_buffer_type_alloc_buffer: can't allocate 4294967296 Bytes of memory on device 0");
  EXPECT_EQ(sycl.backend, OomBackend::Sycl);
  EXPECT_EQ(sycl.requested, 4_GiB);
  const auto host = only_error("ggml_aligned_malloc: insufficient memory (attempted to allocate 12288.00 MB)");
  EXPECT_TRUE(host.is_host());
  EXPECT_EQ(host.requested, 12_GiB);
  EXPECT_EQ(only_error("error: Insufficient Memory (00000008:kIOGPUCommandBufferCallbackErrorOutOfMemory)").backend,
            OomBackend::Metal);
}

TEST(Ggml, OlderWords) {
  EXPECT_EQ(only_error("llama_new_context_with_model: llama_kv_cache_init() failed for self-attention cache").phase,
            OomPhase::KvCache);
  EXPECT_EQ(only_error("llama_kv_cache_unified: failed to allocate buffer for kv cache").phase, OomPhase::KvCache);
  EXPECT_EQ(only_error("graph_reserve: failed to allocate compute pp buffers").phase, OomPhase::Compute);
  EXPECT_EQ(only_error("llama_model_load: error loading model: unable to allocate backend buffer").phase,
            OomPhase::Weights);
}

TEST(Ggml, ASizeWithoutItsEndIsStillRead) {
  EXPECT_EQ(
      only_error("ggml_backend_cuda_buffer_type_alloc_buffer: allocating 0.00 MiB on device 0: cudaMalloc failed: "
                 "out of memory")
          .requested,
      Bytes{0});
}

TEST(Ggml, PoolsOfOldVersionsAreTheHosts) {
  const auto error = only_error(
      "ggml_new_object: not enough space in the context's memory pool (needed 42949672, available 41943040)");
  EXPECT_TRUE(error.is_host());
  EXPECT_EQ(error.requested, 42949672);
  EXPECT_EQ(error.free, 41943040);
}

}  // namespace
}  // namespace dualgpuopt::memory
