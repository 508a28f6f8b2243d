#include "dualgpuopt/memory/profiles/model_profiles.h"

#include <algorithm>

#include "core/format.h"

namespace dualgpuopt::memory {
namespace {

constexpr std::uint64_t kMostTokens = std::uint64_t{1} << 40;  ///< So that rounding up overflows nothing.

std::uint64_t rounded_up(std::uint64_t tokens, std::uint64_t step) { return (tokens + step - 1) / step * step; }

/// Both ends whole steps of the cache's padding, and not the same; what is not given is so long that micro-batches are
/// whole.
ContextSpan whole_steps(ContextSpan span, const KvCacheOptions& cache) {
  const auto step = std::max<std::uint64_t>(cache.padding, 1);
  const auto shortest = rounded_up(std::min(cache.micro_batch, kMostTokens), step);
  const auto wanted = std::min(span.high > 0 ? span.high : cache.context, kMostTokens);
  const auto high = std::max(rounded_up(wanted, step), 2 * shortest);
  const auto low = rounded_up(span.low > 0 ? std::min(span.low, high) : high / 2, step);
  return {std::min(low, high - step), high};
}

Bytes on_gpus(const Model& model, LlamaCppOptions options, std::uint64_t context, std::uint64_t sequences) {
  options.cache.context = context;
  options.cache.sequences = sequences;
  options.cache.unified = true;  // else each sequence's part of the context would be padded
  Bytes sum = 0;
  for (const auto& device : llamacpp_need(model, options)) {
    if (device.gpu && device.total() > 0) sum += device.total() + kTypicalContextOverhead;
  }
  return sum;
}

Bytes less(Bytes whole, Bytes part) { return whole > part ? whole - part : 0; }

std::string name_of(const ModelShape& shape) { return shape.name.empty() ? shape.architecture : shape.name; }

Bytes vllm_fixed(const VllmNeed& need) { return need.weights + need.activations + need.outside; }

Result<ModelProfile> of_llamacpp(const ProfileRequest& request) {
  const auto estimate = estimate_llamacpp(request.estimate);
  if (!estimate) return fail(estimate.error());
  if (estimate->options.gpus == 0) return fail(ErrorCode::InvalidArgument, "gpus: a profile needs at least one");
  const auto high = estimate->options.cache.context;
  if (request.context_low >= high) {
    return fail(ErrorCode::InvalidArgument,
                format_text("context_low: {} is not less than the context, {}", request.context_low, high));
  }
  return llamacpp_profile(estimate->model, estimate->options, {request.context_low, high});
}

Result<ModelProfile> of_vllm(const ProfileRequest& request) {
  return estimate_vllm(request.estimate).map([](const VllmEstimate& estimate) {
    return vllm_profile(estimate.model, estimate.options);
  });
}

Result<ModelProfile> of_runtime(const ProfileRequest& request) {
  if (request.runtime == "llama.cpp") return of_llamacpp(request);
  if (request.runtime == "vllm") return of_vllm(request);
  return fail(ErrorCode::InvalidArgument,
              format_text("the runtime is {}; expected llama.cpp or vllm", in_quotes(request.runtime)));
}

}  // namespace

ModelProfile llamacpp_profile(const Model& model, const LlamaCppOptions& options, ContextSpan span) {
  span = whole_steps(span, options.cache);
  const auto sequences = std::max<std::uint64_t>(options.cache.sequences, 1);
  const auto at_high = on_gpus(model, options, span.high, sequences);
  const auto tokens = span.high - span.low;
  ModelProfile profile{name_of(model.shape)};
  profile.per_token = (less(at_high, on_gpus(model, options, span.low, sequences)) + tokens - 1) / tokens;
  profile.per_batch = less(on_gpus(model, options, span.high, sequences + 1), at_high);
  profile.base = less(at_high, profile.estimate_usage(sequences, span.high));
  return profile;
}

ModelProfile vllm_profile(const Model& model, const VllmOptions& options) {
  auto more = options;
  ++more.sequences;
  const auto need = vllm_need(model, options);
  ModelProfile profile{name_of(model.shape)};
  profile.per_batch = options.parallel * less(vllm_fixed(vllm_need(model, more)), vllm_fixed(need));
  profile.base = less(options.parallel * vllm_fixed(need), profile.estimate_usage(options.sequences, 0));
  profile.per_token = options.parallel * need.bytes_per_token;
  return profile;
}

Result<ModelProfile> profile_of_model(const ProfileRequest& request) {
  auto profile = of_runtime(request);
  if (profile && !request.name.empty()) profile->name = request.name;
  return profile;
}

}  // namespace dualgpuopt::memory
