#include "oom/oom_wordings.h"

#include <gtest/gtest.h>

namespace dualgpuopt::memory {
namespace {

constexpr double kGiB = 1 << 30;
double gib(const std::optional<Bytes>& bytes) { return bytes ? static_cast<double>(*bytes) / kGiB : -1; }

TEST(OomWordings, OfPyTorchUpToOneDotThree) {
  // github.com/pytorch/examples issue 621
  const auto error = parse_oom_line(
      "RuntimeError: CUDA out of memory. Tried to allocate 26.00 MiB (GPU 0; 1024.00 MiB total capacity; "
      "435.61 MiB already allocated; 24.17 MiB free; 26.39 MiB cached)");
  ASSERT_TRUE(error);
  EXPECT_EQ(error->source, OomSource::PyTorch);
  EXPECT_EQ(error->requested, 26_MiB);
  EXPECT_EQ(error->gpu, 0);
  EXPECT_EQ(error->total, 1_GiB);
  EXPECT_NEAR(gib(error->allocated) * 1024, 435.61, 0.01);
  EXPECT_NEAR(gib(error->free) * 1024, 24.17, 0.01);
  EXPECT_NEAR(gib(error->reserved) * 1024, 26.39, 0.01);
}

TEST(OomWordings, OfPyTorchTwo) {
  const auto error = parse_oom_line(
      "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 226.00 MiB. GPU 1 has a total capacty of "
      "15.70 GiB of which 210.38 MiB is free. Process 4711 has 1.50 GiB memory in use. Including non-PyTorch "
      "memory, this process has 13.98 GiB memory in use. Of the allocated memory 12.81 GiB is allocated by "
      "PyTorch, with 17.00 MiB allocated in private pools (e.g., CUDA Graphs), and 336.73 MiB is reserved by "
      "PyTorch but unallocated.");
  ASSERT_TRUE(error);
  EXPECT_EQ(error->gpu, 1);
  EXPECT_NEAR(gib(error->total), 15.7, 0.01) << "with the typing error of 2.1 too";
  EXPECT_NEAR(gib(error->process), 13.98, 0.01);
  EXPECT_EQ(error->private_pools, 17_MiB);
  EXPECT_NEAR(gib(error->reserved_unused) * 1024, 336.73, 0.01);
  ASSERT_EQ(error->others.size(), 1U);
  EXPECT_EQ(error->others[0], (OomProcess{4711, 1_GiB + 512_MiB}));
}

TEST(OomWordings, OfPyTorchOnOtherDevices) {
  EXPECT_EQ(parse_oom_line("HIP out of memory. Tried to allocate 2.00 MiB. GPU 7 has")->gpu, 7);
  EXPECT_EQ(parse_oom_line("XPU out of memory. Tried to allocate 192.00 MiB.")->requested, 192_MiB);
  const auto apple = parse_oom_line(
      "MPS backend out of memory (MPS allocated: 9.50 GiB, other allocations: 17.25 GiB, max allowed: 27.00 GiB). "
      "Tried to allocate 292.50 MiB on private pool.");
  EXPECT_EQ(gib(apple->allocated), 9.5);
  EXPECT_EQ(gib(apple->elsewhere), 17.25);
  EXPECT_EQ(gib(apple->limit), 27);
}

TEST(OomWordings, OfLlamaCpp) {
  auto error = parse_oom_line(
      "ggml_backend_cuda_buffer_type_alloc_buffer: allocating 9866.00 MiB on device 1: cudaMalloc failed: out of "
      "memory");
  ASSERT_TRUE(error);
  EXPECT_EQ(error->source, OomSource::LlamaCpp);
  EXPECT_EQ(error->gpu, 1);
  EXPECT_TRUE(add_oom_details(*error, "ggml_gallocr_reserve_n: failed to allocate CUDA1 buffer of size 10345253120"));
  EXPECT_EQ(error->requested, 10345253120U);
  EXPECT_EQ(error->phase, OomPhase::Compute);
  EXPECT_TRUE(error->fatal);
  EXPECT_TRUE(add_oom_details(
      *error, "llama_context: compute buffer allocation failed, retrying without pipeline parallelism"));
  EXPECT_FALSE(error->fatal);
  EXPECT_FALSE(add_oom_details(*error, "llama_model_loader: loaded meta data"));
  EXPECT_FALSE(
      parse_oom_line("llama_params_fit: failed to fit params to free device memory: n_gpu_layers already set")->fatal);
}

TEST(OomWordings, OfVllm) {
  const auto tokens = parse_oom_line(
      "The model's max seq len (131072) is larger than the maximum number of tokens that can be stored in KV cache "
      "(86432).");
  EXPECT_EQ(tokens->context, 131072U);
  EXPECT_EQ(tokens->cache_tokens, 86432U);
  const auto startup = parse_oom_line(
      "ValueError: Free memory on device (59.25/79.00 GiB) on startup is less than desired GPU memory utilization "
      "(0.9, 71.00 GiB).");
  EXPECT_EQ(gib(startup->free), 59.25);
  EXPECT_EQ(gib(startup->total), 79);
  EXPECT_EQ(gib(startup->requested), 71);
  EXPECT_EQ(startup->utilization, 0.9);
  EXPECT_EQ(parse_oom_line("Available KV cache memory: -0.50 GiB")->cache_left, -static_cast<SignedBytes>(512_MiB));
  EXPECT_FALSE(parse_oom_line("Available KV cache memory: 12.50 GiB")) << "that is no error";
  EXPECT_TRUE(parse_oom_line("ValueError: No available memory for the cache blocks."));
}

TEST(OomWordings, OfTheOthers) {
  const auto source = [](const char* line) { return std::string(to_string(parse_oom_line(line)->source)); };
  EXPECT_EQ(source("RESOURCE_EXHAUSTED: Failed to allocate request for 2.99GiB (3206250496B) on device ordinal 0"),
            "JAX");
  EXPECT_EQ(
      parse_oom_line("RESOURCE_EXHAUSTED: Failed to allocate request for 2.99GiB (3206250496B) on device ordinal 0")
          ->requested,
      3206250496U);
  const auto tensor = parse_oom_line(
      "OOM when allocating tensor with shape[500,17,17,4032] and type float on /job:localhost/device:GPU:2 by");
  EXPECT_EQ(tensor->requested, 2330496000U);
  EXPECT_EQ(tensor->gpu, 2);
  EXPECT_FALSE(parse_oom_line("Allocator (GPU_0_bfc) ran out of memory trying to allocate 2.00GiB. The caller "
                              "indicates that this is not a failure")
                   ->fatal);
  EXPECT_EQ(source("failed to allocate 127.99TiB (140729850295296 bytes) from device: CUDA_ERROR_OUT_OF_MEMORY"),
            "TensorFlow");
  EXPECT_EQ(source("cupy.cuda.memory.OutOfMemoryError: Out of memory allocating 8,589,934,592 bytes (allocated so far: "
                   "1,024 bytes)."),
            "CuPy");
  EXPECT_EQ(source("MemoryError: std::bad_alloc: out_of_memory: RMM failure at: pool_memory_resource.hpp:254"), "RMM");
  EXPECT_EQ(source("bfc_arena.cc:331 Failed to allocate memory for requested buffer of size 8388608000"),
            "ONNX Runtime");
  EXPECT_EQ(source("Error: llama runner exited, you may not have enough available memory to run this model"), "Ollama");
  EXPECT_TRUE(parse_oom_line("model requires more system memory (4.0 GiB) than is available (3.9 GiB)")->is_host);
  EXPECT_EQ(source("CUDA error: out of memory"), "CUDA");
  EXPECT_EQ(source("RuntimeError: cuda runtime error (2) : out of memory at /pytorch/aten/src/THC/THCGeneral.cpp"),
            "CUDA");
  EXPECT_EQ(source("RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"), "CUDA");
  EXPECT_EQ(source("llama_kv_cache_init: failed to allocate buffer for kv cache"), "llama.cpp");
  EXPECT_EQ(parse_oom_line("llama_kv_cache_init: failed to allocate buffer for kv cache")->phase, OomPhase::KvCache);
  EXPECT_EQ(parse_oom_line("graph_reserve: failed to allocate compute pp buffers")->phase, OomPhase::Compute);
  EXPECT_EQ(source("error=\"model request too large for system\" requested=\"60 GiB\""), "Ollama");
}

TEST(OomWordings, LeaveOtherLinesAlone) {
  for (const auto* line : {"", "out of memory", "Tried to allocate 5 GiB",
                           "RuntimeError: CUDA error: an illegal memory access was encountered", "failed to allocate",
                           "shape[1,2] and type float", "GPU 0 has a total capacity of 4.00 GiB"}) {
    EXPECT_FALSE(parse_oom_line(line)) << line;
  }
}

TEST(OomWordings, SurviveBrokenLines) {
  for (const auto* line :
       {"is less than desired GPU memory utilization", "that can be stored in KV cache (",
        "OOM when allocating tensor shape[", "OOM when allocating tensor with shape[1,,2] and type float",
        "CUDA out of memory. Process Process in use",
        "CUDA out of memory. (GPU 99999999999999999999; . free; ,,, cached)"}) {
    const auto error = parse_oom_line(line);
    ASSERT_TRUE(error) << line;
    EXPECT_FALSE(error->requested || error->total) << line;
  }
}

}  // namespace
}  // namespace dualgpuopt::memory
