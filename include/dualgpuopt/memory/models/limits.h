// The largest of everything that still fits.
#pragma once

#include <optional>

#include "dualgpuopt/memory/models/fit.h"
#include "dualgpuopt/memory/models/training.h"
#include "dualgpuopt/memory/models/transformers.h"
#include "dualgpuopt/memory/models/vllm.h"

namespace dualgpuopt::memory {

/// Something as large as it can be, and what is then left on the GPU that has least.
struct Limit {
  std::uint64_t amount = 0;
  SignedBytes margin = 0;

  friend bool operator==(const Limit&, const Limit&) = default;
};

/// What fits, each asked alone with all else as it is. Empty: nothing does.
///
/// Each is the inverse of the need: the amount fits, and one step more does not. It is the most there is wherever more
/// takes more, which is so but for two things: the fork's latent attention, which takes less where a limit of its is
/// passed (LlamaCppOptions::attention_limit); and layers dealt out over three GPUs or more, of which a middle one may
/// get one layer less when there is one more.
struct FitLimits {
  std::optional<Limit> context;     ///< Tokens, for this batch; at most kMostTokens.
  std::optional<Limit> sequences;   ///< Each with as many tokens as one has now; at most kMostSequences.
  std::optional<Limit> gpu_layers;  ///< Of llama.cpp; the output is one of them.
  std::optional<LayerSplit> split;  ///< Of several GPUs: the one that leaves most where least is left, fitting or not.

  static constexpr std::uint64_t kMostTokens = std::uint64_t{1} << 30;
  static constexpr std::uint64_t kMostSequences = std::uint64_t{1} << 16;
};

[[nodiscard]] FitLimits limits(const Model& model, const LlamaCppOptions& options, const GpuRoom& room);
/// To the token, and to the sequence of the whole context.
[[nodiscard]] FitLimits limits(const Model& model, const TransformersOptions& options, const GpuRoom& room);
/// The same, on GPUs that are alike and have so much each for PyTorch.
[[nodiscard]] FitLimits limits(const Model& model, const TrainingOptions& options, Bytes available);
/// The context of one request alone, and requests of the whole context side by side; of one step of the cache's blocks.
[[nodiscard]] FitLimits limits(const VllmNeed& need, const VllmOptions& options);

}  // namespace dualgpuopt::memory
