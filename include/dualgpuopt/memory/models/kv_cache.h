// How much memory the key-value cache of llama.cpp takes.
#pragma once

#include <cstdint>
#include <vector>

#include "dualgpuopt/memory/models/model_shape.h"
#include "dualgpuopt/memory/models/tensor_type.h"

namespace dualgpuopt::memory {

/// How latent attention is computed. Expanded: keys and values of every head are kept (llama.cpp before it knew
/// latent attention, ik_llama.cpp -mla 0). KeyAndValue: the latent key, and its value part once more (-mla 1).
/// KeyOnly: the latent key alone (-mla 2 and 3, and llama.cpp today).
enum class LatentCache { Expanded, KeyAndValue, KeyOnly };

struct KvCacheOptions {
  std::uint64_t context = 0;    ///< Tokens, over all sequences.
  std::uint64_t sequences = 1;  ///< That are worked on side by side.
  std::uint64_t micro_batch = 512;
  TensorType key_type = *tensor_type("f16");
  TensorType value_type = *tensor_type("f16");
  bool full_window = false;     ///< Layers with a window keep the whole context: --swa-full, and old builds.
  bool unified = true;          ///< The sequences share the context; else each has its part.
  std::uint64_t padding = 256;  ///< The context is rounded up to this; 32 without flash attention before November 2025.
  LatentCache latent = LatentCache::KeyOnly;
  bool indexers =
      true;  ///< Keys of sparse attention are kept too (pull request 25407, July 2026); the fork has no such.
};

/// Bytes of one layer's cache.
struct LayerCacheSize {
  Bytes keys = 0;
  Bytes values = 0;
  Bytes state = 0;  ///< Of layers that keep a state; not part of what llama.cpp prints as KV.

  [[nodiscard]] Bytes kv() const { return keys + values; }
};

/// Layer by layer; empty entries for layers that keep nothing. Formulas and their sources: docs/model-memory.md. They
/// were compared with what published logs print.
[[nodiscard]] std::vector<LayerCacheSize> kv_cache(const ModelShape& shape, const KvCacheOptions& options);

/// Tokens that a layer of this kind holds, padding included.
[[nodiscard]] std::uint64_t cache_cells(LayerCache cache, std::uint64_t window, const KvCacheOptions& options);

}  // namespace dualgpuopt::memory
