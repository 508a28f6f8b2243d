
#include <algorithm>
#include <array>
#include <optional>

#include "core/format.h"
#include "dualgpuopt/memory/models/fit.h"
#include "models/requantise.h"

namespace dualgpuopt::memory {
namespace {

using Remedy = std::optional<std::string>;

// What costs neither quality nor speed
// ---------------------------------------------------------------------------------------------------------------

Remedy better_split(const Model& model, const LlamaCppOptions& options, const GpuRoom& room) {
  const auto split = best_llamacpp_split(model, options, room);
  if (!split || split->margin < 0) return std::nullopt;
  return format_text("deal the layers out otherwise: --split {}", split->text());
}

Remedy fused_attention(const Model& model, const LlamaCppOptions& options, const GpuRoom& room) {
  auto fused = options;
  fused.flash_attention = true;
  const bool helps = !options.flash_attention && fits(model, fused, room);
  return helps ? Remedy("keep no scores: --flash-attn on") : std::nullopt;
}

// What costs a little quality, then speed, then more of both
// ---------------------------------------------------------------------------------------------------------------

bool fits_with_cache(const Model& model, LlamaCppOptions options, const GpuRoom& room, const char* name) {
  const auto type = *tensor_type(name);
  if (type.bytes_per_element() >= options.cache.key_type.bytes_per_element()) return false;
  options.cache.key_type = options.cache.value_type = type;
  options.flash_attention = true;  // a cache in blocks needs it
  return fits(model, options, room);
}

std::string cache_words(const LlamaCppOptions& options, const char* name) {
  return format_text("keep the cache in {0}: --kv-type-k {0} --kv-type-v {0}{1}", name,
                     options.flash_attention ? "" : " --flash-attn on");
}

Remedy half_cache(const Model& model, const LlamaCppOptions& options, const GpuRoom& room) {
  return fits_with_cache(model, options, room, "q8_0") ? Remedy(cache_words(options, "q8_0")) : std::nullopt;
}

Remedy smaller_context(const Model& model, const LlamaCppOptions& options, const GpuRoom& room) {
  const auto tokens = largest_context(model, options, room, options.cache.context);
  if (tokens == 0) return std::nullopt;
  return format_text("shorten the context to {} tokens: --context {}", tokens, tokens);
}

Remedy fewer_sequences(const Model& model, const LlamaCppOptions& options, const GpuRoom& room) {
  const auto most = largest_batch(model, options, room, options.cache.sequences);
  if (most == 0 || options.cache.sequences == 1) return std::nullopt;
  return format_text("work on {0} sequences at once: --parallel {0} --context {1}", most,
                     with_sequences(options, most).cache.context);
}

Remedy experts_in_host(const Model& model, const LlamaCppOptions& options, const GpuRoom& room) {
  const auto layers = fewest_host_expert_layers(model, options, room);
  if (!layers) return std::nullopt;
  return format_text("keep the experts of {} layers in host memory: --n-cpu-moe {}", *layers, *layers);
}

/// Each step of llama.cpp's usual file types, from large to small.
constexpr std::array kFileTypes{"Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "IQ4_XS", "Q3_K_M", "Q2_K"};

Remedy smaller_file(const Model& model, const LlamaCppOptions& options, const GpuRoom& room) {
  for (const auto* type : kFileTypes) {
    const auto smaller = requantised(model, type);
    if (!smaller || smaller->weights.in_file() >= model.weights.in_file() || !fits(*smaller, options, room)) continue;
    return format_text("load a smaller file: {} would have about {} (an estimate)", type,
                       format_bytes(smaller->weights.in_file()));
  }
  return std::nullopt;
}

Remedy fewer_layers(const Model& model, const LlamaCppOptions& options, const GpuRoom& room) {
  const auto layers = most_gpu_layers(model, options, room);
  if (!layers) return std::nullopt;
  return format_text("put {} of {} layers on the GPUs: --gpu-layers {}", *layers, model.shape.layers.size() + 1,
                     *layers);
}

/// The cache in a quarter; only where half is not enough.
Remedy quarter_cache(const Model& model, const LlamaCppOptions& options, const GpuRoom& room) {
  const bool is_needed = !fits_with_cache(model, options, room, "q8_0");
  return is_needed && fits_with_cache(model, options, room, "q4_0") ? Remedy(cache_words(options, "q4_0"))
                                                                    : std::nullopt;
}

}  // namespace

std::vector<std::string> remedies(const Model& model, const LlamaCppOptions& options, const GpuRoom& room) {
  std::vector<std::string> found;
  for (const auto remedy : {better_split, fused_attention, half_cache, smaller_context, fewer_sequences,
                            experts_in_host, smaller_file, fewer_layers, quarter_cache}) {
    if (auto text = remedy(model, options, room)) found.push_back(*std::move(text));
  }
  return found;
}

}  // namespace dualgpuopt::memory
