#include "dualgpuopt/memory/models/vllm.h"

#include <algorithm>
#include <cmath>

#include "core/format.h"
#include "models/request_text.h"
#include "models/saturated.h"
#include "models/vllm_pool.h"

namespace dualgpuopt::memory {
namespace {

constexpr double kHalf = 2;
constexpr double kFloat = 4;
constexpr double kActivationRows = 4;  ///< Of the embedding's width, side by side; found on published logs.
constexpr Bytes kOutside = Bytes{100} << 20;
constexpr Bytes kOutsideInParallel = Bytes{400} << 20;  ///< NCCL's buffers besides.

double amount(std::uint64_t count) { return static_cast<double>(count); }

/// Of the widest dense part, for one token.
double dense_elements(const ModelShape& shape, const VllmOptions& options) {
  std::uint64_t widest = shape.experts.shared_feed_forward;
  for (const auto& layer : shape.layers) widest = std::max(widest, layer.feed_forward);
  return 2 * amount(widest) / amount(options.parallel);
}

/// Of the experts that a token uses: gate and up, later the way down in the same place, and their product
/// (fused_experts in vLLM's fused_moe.py: intermediate_cache13 and 2).
double expert_elements(const ModelShape& shape, const VllmOptions& options) {
  const double inner = amount(shape.experts.feed_forward) / amount(options.parallel);
  return amount(shape.experts.used) * (std::max(2 * inner, amount(shape.embedding)) + inner);
}

/// One layer's activations for a full batch, or the logits of all sequences with their copy for sampling.
Bytes activation_peak(const ModelShape& shape, const VllmOptions& options) {
  const double inner = std::max(dense_elements(shape, options), expert_elements(shape, options));
  const double layer = kHalf * amount(options.batched_tokens) * (inner + kActivationRows * amount(shape.embedding));
  const double logits = 2 * kFloat * amount(options.sequences) * amount(shape.vocabulary);
  return saturated(layer + logits);
}

/// The rotary embedding's sines and cosines for every position, whole on each GPU (vLLM's rotary_embedding).
Bytes rotary_cache(const ModelShape& shape) {
  if (shape.layers.empty()) return 0;
  const auto& layer = shape.layers.back();
  const auto rotated = shape.latent.rank > 0 ? shape.latent.rope : layer.key_length;
  return saturated(kHalf * amount(shape.context) * amount(rotated));
}

}  // namespace

Result<void> VllmOptions::validate() const {
  if (total == 0) return fail(ErrorCode::InvalidArgument, "the size of the GPUs must be given, as in --gpus 80GiB");
  if (!(utilization > 0 && utilization <= 1)) {
    return fail(ErrorCode::InvalidArgument,
                format_text("the utilization is {}: expected more than 0 and at most 1", utilization));
  }
  if (auto valid = check_context(context); !valid) return valid;
  if (parallel == 0 || batched_tokens == 0 || sequences == 0) {
    return fail(ErrorCode::InvalidArgument, "GPUs, batched tokens and sequences must be at least 1");
  }
  if (batched_tokens > kMostTokens) {
    return fail(ErrorCode::InvalidArgument,
                format_text("max_num_batched_tokens: {} tokens; at most {} are expected", batched_tokens, kMostTokens));
  }
  return {};
}

Bytes VllmNeed::cache_for(std::uint64_t context, std::uint64_t requests) const {
  return saturated(amount(pool.block) * amount(pool.blocks_for(context)) * amount(requests));
}

double VllmNeed::concurrency(std::uint64_t context) const {
  const auto each = pool.blocks_for(context);
  return each == 0 ? 0 : amount(blocks) / amount(each);
}

VllmNeed vllm_need(const Model& model, const VllmOptions& options) {
  VllmNeed need;
  need.budget = saturated(options.utilization * amount(options.total));
  need.weights = saturated(amount(model.weights.in_file() / options.parallel) + amount(rotary_cache(model.shape)));
  need.activations = activation_peak(model.shape, options);
  need.outside = options.parallel > 1 ? kOutsideInParallel : kOutside;
  const auto taken = need.weights + need.activations + need.outside;
  need.cache = need.budget > taken ? need.budget - taken : 0;
  need.pool = vllm_pool(model.shape, options);
  if (need.pool.block == 0) return need;
  need.blocks = need.cache / need.pool.block;
  need.tokens = saturated(need.concurrency(options.context) * amount(options.context));
  need.bytes_per_token = need.cache_for(options.context) / whole_blocks(options.context);
  return need;
}

}  // namespace dualgpuopt::memory
