#include "dualgpuopt/memory/models/kv_cache.h"

#include <algorithm>

#include "models/saturated.h"

namespace dualgpuopt::memory {
namespace {

constexpr double kStateElementBytes = 4;

std::uint64_t padded(std::uint64_t amount, std::uint64_t to) { return to == 0 ? amount : (amount + to - 1) / to * to; }

Bytes cells_bytes(std::uint64_t cells, std::uint64_t elements, const TensorType& type) {
  return tensor_bytes(type, padded(elements, type.block_elements), cells).value_or(0);
}

/// Elements of a cell.
struct CellShape {
  std::uint64_t keys = 0;
  std::uint64_t values = 0;
};

CellShape cell_of(const ModelShape& shape, const LayerShape& layer, LatentCache latent) {
  if (shape.latent.rank == 0 || latent == LatentCache::Expanded) {
    return {layer.kv_heads * layer.key_length, layer.kv_heads * layer.value_length};
  }
  const auto keys = shape.latent.rank + shape.latent.rope;
  return {keys, latent == LatentCache::KeyAndValue ? shape.latent.rank : 0};
}

}  // namespace

std::uint64_t cache_cells(LayerCache cache, std::uint64_t window, const KvCacheOptions& options) {
  const auto sequences = std::max<std::uint64_t>(options.sequences, 1);
  const auto streams = options.unified ? 1 : sequences;
  const auto context = padded(options.context / streams, options.padding);
  if (cache != LayerCache::Window || options.full_window) return context * streams;
  const auto seen = window * (sequences / streams) + options.micro_batch;
  return std::min(context, padded(seen, options.padding)) * streams;
}

std::vector<LayerCacheSize> kv_cache(const ModelShape& shape, const KvCacheOptions& options) {
  std::vector<LayerCacheSize> sizes;
  sizes.reserve(shape.layers.size());
  for (const auto& layer : shape.layers) {
    LayerCacheSize size;
    if (layer.cache == LayerCache::State) {
      size.state = saturated(kStateElementBytes * static_cast<double>(shape.state.elements()) *
                             static_cast<double>(std::max<std::uint64_t>(options.sequences, 1)));
    } else if (layer.cache != LayerCache::None) {
      const auto cells = cache_cells(layer.cache, shape.window, options);
      const auto cell = cell_of(shape, layer, options.latent);
      size.keys = cells_bytes(cells, cell.keys, options.key_type);
      if (options.indexers) size.keys += cells_bytes(cells, layer.indexer_length, options.key_type);
      size.values = cells_bytes(cells, cell.values, options.value_type);
    }
    sizes.push_back(size);
  }
  return sizes;
}

}  // namespace dualgpuopt::memory
