// How much memory generating text with Hugging Face transformers takes.
#pragma once

#include <cstdint>
#include <vector>

#include "dualgpuopt/memory/models/llamacpp.h"

namespace dualgpuopt::memory {

struct TransformersOptions {
  std::uint64_t context = 0;  ///< Tokens of each sequence, prompt and answer.
  std::uint64_t batch = 1;    ///< Sequences side by side.
  std::size_t gpus = 1;       ///< 0: everything in host memory.
  std::vector<double> split;  ///< Each GPU's share, as device_map balances it; empty: equal shares.
  TensorType cache_type = *tensor_type("bf16");
  bool flash_attention = true;  ///< Or another kernel that keeps no scores (attn_implementation="sdpa").

  /// InvalidArgument, naming the option.
  [[nodiscard]] Result<void> validate() const;
};

/// The GPUs in order, then host memory; `compute` has the activations of a prompt as long as the context, `output` the
/// logits, `slack` what PyTorch's allocator rounds up. Formulas and their sources: docs/model-memory.md,
/// "transformers". `options` must be valid.
[[nodiscard]] std::vector<DeviceNeed> transformers_need(const Model& model, const TransformersOptions& options);

}  // namespace dualgpuopt::memory
