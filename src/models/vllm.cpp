#include "dualgpuopt/memory/models/vllm.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "models/saturated.h"

namespace dualgpuopt::memory {
namespace {

constexpr std::uint64_t kBlock = 16;
constexpr double kHalf = 2;
constexpr double kFloat = 4;
constexpr double kActivationRows = 4;  ///< Of the embedding's width, side by side; found on published logs.
constexpr Bytes kOutside = Bytes{100} << 20;
constexpr Bytes kOutsideInParallel = Bytes{400} << 20;  ///< NCCL's buffers besides.

double amount(std::uint64_t count) { return static_cast<double>(count); }

std::uint64_t widest(const ModelShape& shape) {
  std::uint64_t widest = shape.experts.used * shape.experts.feed_forward + shape.experts.shared_feed_forward;
  for (const auto& layer : shape.layers) widest = std::max(widest, layer.feed_forward);
  return widest;
}

/// One layer's activations for a full batch, or the logits of all sequences with their copy for sampling.
Bytes activation_peak(const ModelShape& shape, const VllmOptions& options) {
  const double inner = 2 * amount(widest(shape)) / amount(options.parallel);
  const double layer = kHalf * amount(options.batched_tokens) * (inner + kActivationRows * amount(shape.embedding));
  const double logits = 2 * kFloat * amount(options.sequences) * amount(shape.vocabulary);
  return saturated(layer + logits);
}

/// Every GPU keeps its part of the heads, and at least one; a latent cache is kept whole on each.
Bytes layer_token_bytes(const ModelShape& shape, const LayerShape& layer, const VllmOptions& options) {
  if (layer.cache == LayerCache::State || layer.cache == LayerCache::None) return 0;
  const double element = options.cache_type.bytes_per_element();
  if (shape.latent.rank > 0) return saturated(element * amount(shape.latent.rank + shape.latent.rope));
  const auto heads = std::max<std::uint64_t>((layer.kv_heads + options.parallel - 1) / options.parallel, 1);
  return saturated(element * amount(heads * (layer.key_length + layer.value_length)));
}

}  // namespace

Result<void> VllmOptions::validate() const {
  if (total == 0) return fail(ErrorCode::InvalidArgument, "the size of the GPUs must be given, as in --gpus 80GiB");
  if (!(utilization > 0 && utilization <= 1)) {
    return fail(ErrorCode::InvalidArgument,
                fmt::format("the utilization is {}: expected more than 0 and at most 1", utilization));
  }
  if (parallel == 0 || context == 0 || batched_tokens == 0 || sequences == 0) {
    return fail(ErrorCode::InvalidArgument, "GPUs, context, batched tokens and sequences must be at least 1");
  }
  return {};
}

double VllmNeed::concurrency(std::uint64_t context) const {
  return context == 0 ? 0 : amount(tokens) / amount(context);
}

VllmNeed vllm_need(const Model& model, const VllmOptions& options) {
  VllmNeed need;
  need.budget = saturated(options.utilization * amount(options.total));
  need.weights = model.weights.in_file() / options.parallel;
  need.activations = activation_peak(model.shape, options);
  need.outside = options.parallel > 1 ? kOutsideInParallel : kOutside;
  const auto taken = need.weights + need.activations + need.outside;
  need.cache = need.budget > taken ? need.budget - taken : 0;
  for (const auto& layer : model.shape.layers) need.bytes_per_token += layer_token_bytes(model.shape, layer, options);
  if (need.bytes_per_token > 0) need.tokens = need.cache / need.bytes_per_token / kBlock * kBlock;
  return need;
}

}  // namespace dualgpuopt::memory
