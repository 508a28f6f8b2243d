#include "dualgpuopt/memory/models/limits.h"

#include <algorithm>

#include "models/best_split.h"
#include "models/largest.h"

namespace dualgpuopt::memory {
namespace {

// llama.cpp
// ---------------------------------------------------------------------------------------------------------------

Limit limit(const Model& model, const LlamaCppOptions& options, const GpuRoom& room, std::uint64_t amount) {
  return {amount, least_margin(llamacpp_need(model, options), room)};
}

std::optional<Limit> context_limit(const Model& model, LlamaCppOptions options, const GpuRoom& room) {
  options.cache.context = largest_context(model, options, room, FitLimits::kMostTokens);
  if (options.cache.context == 0) return std::nullopt;
  return limit(model, options, room, options.cache.context);
}

std::optional<Limit> sequences_limit(const Model& model, const LlamaCppOptions& options, const GpuRoom& room) {
  const auto most = largest_batch(model, options, room, FitLimits::kMostSequences);
  if (most == 0) return std::nullopt;
  return limit(model, with_sequences(options, most), room, most);
}

std::optional<Limit> layers_limit(const Model& model, LlamaCppOptions options, const GpuRoom& room) {
  options.gpu_layers = most_gpu_layers(model, options, room);
  if (!options.gpu_layers) return std::nullopt;
  return limit(model, options, room, *options.gpu_layers);
}

// PyTorch
// ---------------------------------------------------------------------------------------------------------------

/// The largest value of a field of the options that leaves nothing missing.
template <typename Options, typename Margin>
std::optional<Limit> largest(Options options, std::uint64_t Options::*field, std::uint64_t most, Margin margin) {
  const auto left_with = [&](std::uint64_t value) {
    options.*field = value;
    return margin(options);
  };
  const auto found = last_that(1, most, [&](std::uint64_t value) { return left_with(value) >= 0; });
  if (found == 0) return std::nullopt;
  return Limit{found, left_with(found)};
}

std::optional<LayerSplit> transformers_split(const Model& model, TransformersOptions options, const GpuRoom& room) {
  if (options.gpus < 2) return std::nullopt;
  const std::vector<double> shares(room.free.begin(), room.free.end());
  return best_split(model.shape.layers.size() + 1, shares, [&](const std::vector<std::uint64_t>& counts) {
    options.split.assign(counts.begin(), counts.end());
    return margins(transformers_need(model, options), room);
  });
}

}  // namespace

FitLimits limits(const Model& model, const LlamaCppOptions& options, const GpuRoom& room) {
  return {context_limit(model, options, room), sequences_limit(model, options, room),
          layers_limit(model, options, room), best_llamacpp_split(model, options, room)};
}

FitLimits limits(const Model& model, const TransformersOptions& options, const GpuRoom& room) {
  const auto margin = [&](const TransformersOptions& changed) {
    return least_margin(transformers_need(model, changed), room);
  };
  return {largest(options, &TransformersOptions::context, FitLimits::kMostTokens, margin),
          largest(options, &TransformersOptions::batch, FitLimits::kMostSequences, margin), std::nullopt,
          transformers_split(model, options, room)};
}

FitLimits limits(const Model& model, const TrainingOptions& options, Bytes available) {
  const auto margin = [&](const TrainingOptions& changed) {
    return difference(available, training_need(model, changed).total());
  };
  return {largest(options, &TrainingOptions::context, FitLimits::kMostTokens, margin),
          largest(options, &TrainingOptions::batch, FitLimits::kMostSequences, margin), std::nullopt, std::nullopt};
}

FitLimits limits(const VllmNeed& need, const VllmOptions& options) {
  FitLimits found;
  if (need.blocks == 0) return found;
  const auto context = last_that(1, FitLimits::kMostTokens,
                                 [&](std::uint64_t tokens) { return need.pool.blocks_for(tokens) <= need.blocks; });
  if (context > 0) found.context = Limit{context, difference(need.cache, need.cache_for(context))};
  const auto each = need.pool.blocks_for(options.context);
  const auto requests = std::min(need.blocks / std::max<std::uint64_t>(each, 1), FitLimits::kMostSequences);
  if (requests > 0)
    found.sequences = Limit{requests, difference(need.cache, need.cache_for(options.context, requests))};
  return found;
}

}  // namespace dualgpuopt::memory
