#include "dualgpuopt/memory/models/fit.h"

#include <fmt/format.h>

#include <algorithm>

#include "models/largest.h"

namespace dualgpuopt::memory {
namespace {

std::optional<std::string> smaller_cache(const Model& model, LlamaCppOptions options, const GpuRoom& room) {
  for (const auto* name : {"q8_0", "q4_0"}) {
    const auto type = *tensor_type(name);
    if (type.bytes_per_element() >= options.cache.key_type.bytes_per_element()) continue;
    options.cache.key_type = options.cache.value_type = type;
    options.flash_attention = true;
    if (fits(model, options, room)) return fmt::format("keep the cache in {0}: --kv-type-k {0} --kv-type-v {0}", name);
  }
  return std::nullopt;
}

std::optional<std::string> smaller_context(const Model& model, const LlamaCppOptions& options, const GpuRoom& room) {
  const auto tokens = largest_context(model, options, room, options.cache.context);
  if (tokens == 0) return std::nullopt;
  return fmt::format("shorten the context to {} tokens: --context {}", tokens, tokens);
}

std::optional<std::string> experts_in_host(const Model& model, LlamaCppOptions options, const GpuRoom& room) {
  if (model.shape.experts.count == 0) return std::nullopt;
  for (std::uint64_t layers = 1; layers <= model.shape.layers.size(); ++layers) {
    options.host_expert_layers = std::max(options.host_expert_layers, layers);
    if (fits(model, options, room))
      return fmt::format("keep the experts of {} layers in host memory: --n-cpu-moe {}", layers, layers);
  }
  return std::nullopt;
}

std::optional<std::string> fewer_layers(const Model& model, const LlamaCppOptions& options, const GpuRoom& room) {
  const auto layers = most_gpu_layers(model, options, room);
  if (!layers) return std::nullopt;
  return fmt::format("put {} of {} layers on the GPUs: --gpu-layers {}", *layers, model.shape.layers.size() + 1,
                     *layers);
}

}  // namespace

std::vector<Bytes> missing(const std::vector<DeviceNeed>& need, const GpuRoom& room) {
  std::vector<Bytes> missing;
  for (std::size_t i = 0; i < room.free.size() && i < need.size(); ++i) {
    const auto used = need[i].total() == 0 ? 0 : need[i].total() + room.overhead;
    missing.push_back(used > room.free[i] ? used - room.free[i] : 0);
  }
  return missing;
}

bool fits(const Model& model, const LlamaCppOptions& options, const GpuRoom& room) {
  const auto short_of = missing(llamacpp_need(model, options), room);
  return std::all_of(short_of.begin(), short_of.end(), [](Bytes bytes) { return bytes == 0; });
}

std::uint64_t largest_context(const Model& model, LlamaCppOptions options, const GpuRoom& room, std::uint64_t most) {
  const auto step = std::max<std::uint64_t>(options.cache.padding, 1);
  const auto steps = last_that(1, most / step, [&](std::uint64_t count) {
    options.cache.context = count * step;
    return fits(model, options, room);
  });
  return steps * step;
}

std::optional<std::uint64_t> most_gpu_layers(const Model& model, LlamaCppOptions options, const GpuRoom& room) {
  const auto all = model.shape.layers.size() + 1;
  const auto layers = last_that(1, all + 1, [&](std::uint64_t count) {
    options.gpu_layers = count - 1;
    return fits(model, options, room);
  });
  return layers == 0 ? std::nullopt : std::optional(layers - 1);
}

std::vector<std::string> remedies(const Model& model, const LlamaCppOptions& options, const GpuRoom& room) {
  std::vector<std::string> found;
  for (const auto remedy : {smaller_cache, experts_in_host}) {
    if (auto text = remedy(model, options, room)) found.push_back(*std::move(text));
  }
  for (const auto remedy : {smaller_context, fewer_layers}) {
    if (auto text = remedy(model, options, room)) found.push_back(*std::move(text));
  }
  return found;
}

}  // namespace dualgpuopt::memory
