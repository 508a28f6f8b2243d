#include "oom/scanned.h"

namespace dualgpuopt::memory {
namespace {

TEST(Vllm, TheModelIsLongerThanTheCache) {
  // QwenLM/Qwen3 issue 295
  const auto error = only_error(
      "ValueError: The model's max seq len (32768) is larger than the maximum number of tokens that can be stored in "
      "KV "
      "cache (7344). Try increasing `gpu_memory_utilization` or decreasing `max_model_len` when initializing the "
      "engine.");
  EXPECT_EQ(error.source, OomSource::Vllm);
  EXPECT_EQ(error.phase, OomPhase::KvCache);
  EXPECT_EQ(error.context, 32768);
  EXPECT_EQ(error.cache_tokens, 7344);
}

TEST(Vllm, TheCacheNeedsMoreThanThereIs) {
  // vllm-project/vllm issue 25350
  const auto error = only_error(
      "ValueError: To serve at least one request with the models's max seq len (221000), (10.12 GiB KV cache is "
      "needed, "
      "which is larger than the available KV cache memory (5.59 GiB). Based on the available memory, the estimated "
      "maximum model length is 122080. Try increasing `gpu_memory_utilization`");
  EXPECT_EQ(error.context, 221000);
  EXPECT_EQ(error.cache_needed, gib(10.12));
  EXPECT_EQ(error.cache_left, static_cast<SignedBytes>(gib(5.59)));
  EXPECT_EQ(error.estimated_context, 122080);
}

TEST(Vllm, LessIsFreeThanWanted) {
  // ovg-project/kvcached issue 29
  const auto error = only_error(
      "ValueError: Free memory on device (59.32/79.15 GiB) on startup is less than desired GPU memory utilization "
      "(0.9, "
      "71.24 GiB).");
  EXPECT_EQ(error.phase, OomPhase::Startup);
  EXPECT_NEAR(static_cast<double>(*error.free), 59.32 * 0x1p30, 2);
  EXPECT_EQ(error.total, gib(79.15));
  EXPECT_EQ(error.requested, gib(71.24));
  EXPECT_EQ(error.utilization, 0.9);
  EXPECT_EQ(only_error("Free memory on device cuda:1 (1.5/2.0 GiB) on startup is less than desired GPU memory "
                       "utilization (0.9, 1.8 GiB)")
                .gpu,
            1);
}

TEST(Vllm, ANegativeCacheLeadsToNoBlocks) {
  const auto error = only_error(
      "INFO 09-06 03:10:08 [gpu_worker.py:276] Available KV cache memory: -0.53 GiB\nERROR Traceback\n  File x\n"
      "ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization`\n");
  EXPECT_EQ(error.cache_left, -static_cast<SignedBytes>(gib(0.53)));
  EXPECT_EQ(error.times, 1U);
  EXPECT_TRUE(scanned("INFO Available KV cache memory: 18.78 GiB").empty());
}

TEST(Vllm, PyTorchInsideIt) {
  const auto error = only_error(
      "INFO vLLM API server version 0.9\nCUDA out of memory. Tried to allocate 1.00 GiB. GPU 0 has a total capacity "
      "of");
  EXPECT_EQ(error.source, OomSource::PyTorch);
  EXPECT_EQ(error.application, OomSource::Vllm);
}

TEST(SgLang, Knows) {
  EXPECT_EQ(only_error("RuntimeError: Not enough memory. Please try increasing --mem-fraction-static.").source,
            OomSource::SgLang);
  EXPECT_EQ(only_error("Decode out of memory happened. #retracted_reqs: 1, #new_token_ratio: 0.5 -> 0.6").fatal, false);
}

TEST(Vllm, UpTo08) {
  const auto error = only_error(
      "the current vLLM instance can use total_gpu_memory (23.64GiB) x gpu_memory_utilization (0.90) = 21.28GiB; model "
      "weights take 20.15GiB; the rest of the memory reserved for KV Cache is -2.30GiB.");
  EXPECT_EQ(error.total, gib(23.64));
  EXPECT_EQ(error.utilization, 0.9);
  EXPECT_EQ(error.cache_left, -static_cast<SignedBytes>(gib(2.3)));
}

TEST(Vllm, WarmingUpAndPreemption) {
  const auto warming = only_error(
      "RuntimeError: CUDA out of memory occurred when warming up sampler with 1024 dummy requests. Please try lowering "
      "`max_num_seqs` or `gpu_memory_utilization` when initializing the engine.");
  EXPECT_EQ(warming.source, OomSource::Vllm);
  EXPECT_EQ(warming.phase, OomPhase::Startup);
  EXPECT_FALSE(only_error("WARNING Sequence group 7 is preempted by PreemptionMode.RECOMPUTE mode because there is not "
                          "enough KV cache space. This can affect the end-to-end performance.")
                   .fatal);
}

TEST(SgLang, WithoutRoomForABatch) {
  EXPECT_EQ(only_error("Prefill out of memory. Try to lower your batch size.").source, OomSource::SgLang);
  EXPECT_FALSE(only_error("KV cache pool is full. Retract requests. #retracted_reqs: 1").fatal);
}

TEST(Tgi, NamesItsTokens) {
  const auto error = only_error(
      "RuntimeError: Not enough memory to handle 4096 prefill tokens. You need to decrease "
      "`--max-batch-prefill-tokens`");
  EXPECT_EQ(error.source, OomSource::Tgi);
  EXPECT_EQ(error.context, 4096);
}

TEST(Vllm, MemoryThatChangedWhileItMeasured) {
  const auto error = only_error(
      "AssertionError: Error in memory profiling. Initial free memory 10.25 GiB, current free memory 11.50 GiB. This "
      "happens when other processes sharing the same container release GPU memory while vLLM is profiling.");
  EXPECT_EQ(error.phase, OomPhase::Startup);
  EXPECT_EQ(error.free, gib(11.5));
}

}  // namespace
}  // namespace dualgpuopt::memory
