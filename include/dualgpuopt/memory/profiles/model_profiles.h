// A profile of a model before it is loaded, from its description alone.
#pragma once

#include <cstdint>
#include <string>

#include "dualgpuopt/memory/models/estimate.h"
#include "dualgpuopt/memory/predictor/model_profile.h"

namespace dualgpuopt::memory {

/// All sizes are sums over the GPUs. The formulas of the parts are docs/model-memory.md's; with need(t, s) as the bytes
/// that they give for t tokens of context in s sequences:
///
///     per_token = (need(high, s) - need(low, s)) / (high - low), rounded up
///     per_batch = need(high, s + 1) - need(high, s)
///     base      = need(high, s) - s * per_batch - high * per_token
///
/// So the profile is the straight line through the estimates at the contexts `low` and `high`, at which it is exact but
/// for the rounding. A token is one of all sequences' together, as llama.cpp's --ctx-size counts them.
///
/// llama.cpp: need is weights, KV cache, recurrent state and compute buffer on the GPUs, and kTypicalContextOverhead on
/// each GPU that has any. So a token costs the keys and values of every full-attention layer, and what it adds to the
/// compute buffer (2 * ubatch bytes a GPU with flash attention); a sequence costs its recurrent state and the window of
/// each sliding-window layer; the base is all the rest. A windowed model's need is not linear: it bends where the
/// context exceeds window * s + ubatch. Above the bend the line is exact where `low` is above it too; below, the
/// profile asks for too much, at most for the windows that are not full. It bends too where a layer's graph overtakes
/// the logits in the compute buffer: beyond, a line from below says too little. What one sequence's part of the context
/// is padded by is left out.
struct ContextSpan {
  std::uint64_t low = 0;   ///< Tokens; 0: half of `high`.
  std::uint64_t high = 0;  ///< Tokens.
};

/// `options.cache.context` is the span's high end where that is 0. Both ends are rounded up to the cache's padding and
/// parted by at least one step of it, and the high end is at least two micro-batches: shorter contexts need less
/// scratch. `options` must be valid.
[[nodiscard]] ModelProfile llamacpp_profile(const Model& model, const LlamaCppOptions& options, ContextSpan span = {});

/// vLLM: base is weights, activations and what lies outside of PyTorch; a token costs its keys and values, which grow
/// linearly; a sequence costs its logits. The share of the GPUs that vLLM takes at once is not a matter of the profile.
/// `options` must be valid.
[[nodiscard]] ModelProfile vllm_profile(const Model& model, const VllmOptions& options);

/// What a profile is asked for in words.
struct ProfileRequest {
  EstimateRequest estimate;  ///< `context` is the span's high end, `parallel` the sequences s.
  std::string runtime = "llama.cpp";
  std::string name;               ///< Of the profile; empty: the model's, else its architecture.
  std::uint64_t context_low = 0;  ///< As ContextSpan::low.
};

/// Errors as of estimate_llamacpp and estimate_vllm; InvalidArgument besides for a runtime that is not known, for no
/// GPU, and for a context_low that is not less than the context.
[[nodiscard]] Result<ModelProfile> profile_of_model(const ProfileRequest& request);

}  // namespace dualgpuopt::memory
