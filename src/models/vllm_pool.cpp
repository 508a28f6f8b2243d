#include "models/vllm_pool.h"

#include <algorithm>
#include <map>
#include <utility>

#include "models/saturated.h"

namespace dualgpuopt::memory {
namespace {

constexpr std::uint64_t kBlock = 16;
constexpr double kIndexerScale = 4;  // of the key of sparse attention, which has a byte an element (DeepSeek 3.2)

double amount(std::uint64_t count) { return static_cast<double>(count); }

std::uint64_t divided_up(std::uint64_t count, std::uint64_t by) { return count / by + (count % by == 0 ? 0 : 1); }

/// Every GPU keeps its part of the heads, and at least one; a latent cache is kept whole on each.
Bytes token_bytes(const ModelShape& shape, const LayerShape& layer, const VllmOptions& options) {
  const double element = options.cache_type.bytes_per_element();
  if (shape.latent.rank > 0) {
    const double indexer = layer.indexer_length == 0 ? 0 : amount(layer.indexer_length) + kIndexerScale;
    return saturated(element * amount(shape.latent.rank + shape.latent.rope) + indexer);
  }
  const auto heads = std::max<std::uint64_t>(divided_up(layer.kv_heads, options.parallel), 1);
  return saturated(element * amount(heads) * (amount(layer.key_length) + amount(layer.value_length)));
}

/// Of one request in one layer: the past of the convolution in 16 bits, and so the state, but for that of Qwen 3.5 in
/// 32 (vLLM's log prints blocks of 544 tokens for Qwen 3 Next, and of 1056 for Qwen 3.5 35B).
Bytes state_bytes(const ModelShape& shape, const VllmOptions& options) {
  constexpr double half = 2;
  const double number = shape.architecture.starts_with("qwen35") ? 4 : half;
  return saturated((half * amount(shape.state.past_elements()) + number * amount(shape.state.state_elements())) /
                   amount(options.parallel));
}

/// Of layers that keep the same.
struct Sort {
  LayerCache cache;
  Bytes bytes;  ///< A token, or the state.

  friend auto operator<=>(const Sort&, const Sort&) = default;
};
using Sorts = std::map<Sort, std::uint64_t>;  ///< Each with its number of layers.

Sorts sorts_of(const ModelShape& shape, const VllmOptions& options) {
  Sorts sorts;
  for (const auto& layer : shape.layers) {
    if (layer.cache == LayerCache::None) continue;
    const bool is_state = layer.cache == LayerCache::State;
    const Sort sort{layer.cache, is_state ? state_bytes(shape, options) : token_bytes(shape, layer, options)};
    if (sort.bytes > 0) ++sorts[sort];
  }
  return sorts;
}

/// A prompt is computed in batches, while the window before it is kept; one block more, as a window begins anywhere
/// (SlidingWindowSpec in kv_cache_interface.py).
std::uint64_t most_tokens(LayerCache cache, const ModelShape& shape, const VllmOptions& options) {
  if (cache != LayerCache::Window || shape.window == 0) return 0;
  return saturated(amount(shape.window) - 1 + amount(options.batched_tokens));
}

bool are_alike(const Sorts& sorts) {
  return std::all_of(sorts.begin(), sorts.end(),
                     [&](const auto& sort) { return sort.first.cache == sorts.begin()->first.cache; });
}

/// One group of all layers, whose blocks may differ in bytes.
VllmPool pool_of_one(const Sorts& sorts, const ModelShape& shape, const VllmOptions& options) {
  VllmPool pool;
  const auto cache = sorts.begin()->first.cache;
  double block = 0;
  for (const auto& [sort, layers] : sorts)
    block += amount(sort.bytes) * amount(layers) * (cache == LayerCache::State ? 1 : amount(kBlock));
  pool.block = saturated(block);
  pool.kinds.push_back({cache, 1, kBlock, most_tokens(cache, shape, options)});
  return pool;
}

/// Bytes of a block in one layer: of the sort whose tokens take most, with so many tokens that a state fits in.
Bytes page_of(const Sorts& sorts) {
  Bytes token = 0;
  Bytes state = 0;
  for (const auto& [sort, layers] : sorts) {
    auto& most = sort.cache == LayerCache::State ? state : token;
    most = std::max(most, sort.bytes);
  }
  const auto blocks = std::max<std::uint64_t>(divided_up(state, token * kBlock), 1);
  return saturated(amount(blocks) * amount(token) * amount(kBlock));
}

std::uint64_t group_size(const Sorts& sorts) {
  constexpr double little = 1.5;
  const auto [least, most] = std::minmax_element(
      sorts.begin(), sorts.end(), [](const auto& left, const auto& right) { return left.second < right.second; });
  return amount(most->second) < little * amount(least->second) ? most->second : least->second;
}

VllmPool pool_of_groups(const Sorts& sorts, const ModelShape& shape, const VllmOptions& options) {
  const auto page = page_of(sorts);
  const auto size = group_size(sorts);
  VllmPool pool;
  pool.block = saturated(amount(page) * amount(size));
  for (const auto& [sort, layers] : sorts) {
    const auto tokens = sort.cache == LayerCache::State ? kBlock : page / (sort.bytes * kBlock) * kBlock;
    pool.kinds.push_back(
        {sort.cache, divided_up(layers, size), std::max(tokens, kBlock), most_tokens(sort.cache, shape, options)});
  }
  return pool;
}

}  // namespace

std::uint64_t VllmCacheKind::blocks_for(std::uint64_t tokens) const {
  if (cache == LayerCache::State) return groups;
  if (most_tokens == 0) return groups * divided_up(tokens, block_tokens);
  return groups * (divided_up(std::min(tokens, most_tokens), block_tokens) + 1);
}

std::uint64_t VllmPool::blocks_for(std::uint64_t tokens) const {
  std::uint64_t blocks = 0;
  for (const auto& kind : kinds) blocks += kind.blocks_for(tokens);
  return blocks;
}

VllmPool vllm_pool(const ModelShape& shape, const VllmOptions& options) {
  const auto sorts = sorts_of(shape, options);
  if (sorts.empty()) return {};
  return are_alike(sorts) ? pool_of_one(sorts, shape, options) : pool_of_groups(sorts, shape, options);
}

std::uint64_t whole_blocks(std::uint64_t tokens) {
  return std::max<std::uint64_t>(divided_up(tokens, kBlock), 1) * kBlock;
}

}  // namespace dualgpuopt::memory
