// How much memory vLLM takes for a model, and how many tokens its cache holds.
#pragma once

#include <string>
#include <vector>

#include "dualgpuopt/memory/models/model_source.h"
#include "dualgpuopt/memory/models/tensor_type.h"

namespace dualgpuopt::memory {

struct VllmOptions {
  Bytes total = 0;                      ///< Of each GPU.
  double utilization = 0.9;             ///< --gpu-memory-utilization, more than 0 and at most 1.
  std::uint64_t parallel = 1;           ///< --tensor-parallel-size: GPUs that share every layer.
  std::uint64_t context = 0;            ///< --max-model-len.
  std::uint64_t batched_tokens = 8192;  ///< --max-num-batched-tokens.
  std::uint64_t sequences = 256;        ///< --max-num-seqs.
  TensorType cache_type = *tensor_type("bf16");

  /// InvalidArgument, naming the option.
  [[nodiscard]] Result<void> validate() const;
};

/// Layers that keep the same: in groups of one size, of which each takes blocks of its own.
struct VllmCacheKind {
  LayerCache cache = LayerCache::Full;
  std::uint64_t groups = 1;
  std::uint64_t block_tokens = 16;  ///< In a block of one group.
  std::uint64_t most_tokens = 0;    ///< That a request keeps, of layers with a window; else 0.

  /// For a request of so many tokens.
  [[nodiscard]] std::uint64_t blocks_for(std::uint64_t tokens) const;
};

/// The blocks of the KV cache, which all groups of layers share.
struct VllmPool {
  Bytes block = 0;  ///< Bytes of one on each GPU, over all layers of a group; 0: the model keeps nothing.
  std::vector<VllmCacheKind> kinds;

  /// For a request of so many tokens.
  [[nodiscard]] std::uint64_t blocks_for(std::uint64_t tokens) const;
};

/// Bytes on each GPU; all GPUs are alike.
struct VllmNeed {
  Bytes budget = 0;  ///< What vLLM takes in all: utilization * total.
  Bytes weights = 0;
  Bytes activations = 0;  ///< The peak of the profiling run; an estimate.
  Bytes outside = 0;      ///< Taken outside of PyTorch's allocator: the context, NCCL; an estimate.
  Bytes cache = 0;        ///< What is left of the budget for the KV cache; 0 when nothing is.
  VllmPool pool;
  std::uint64_t blocks = 0;   ///< That the cache has.
  Bytes bytes_per_token = 0;  ///< On average of a request of the whole context, without what its last block has left.
  std::uint64_t tokens = 0;   ///< That the cache holds in such requests, as vLLM's log prints it.

  /// For so many requests of so many tokens side by side.
  [[nodiscard]] Bytes cache_for(std::uint64_t tokens, std::uint64_t requests = 1) const;
  /// Requests of so many tokens that fit side by side.
  [[nodiscard]] double concurrency(std::uint64_t context) const;
};

/// Formulas and their sources: docs/model-memory.md. `options` must be valid.
[[nodiscard]] VllmNeed vllm_need(const Model& model, const VllmOptions& options);

}  // namespace dualgpuopt::memory
