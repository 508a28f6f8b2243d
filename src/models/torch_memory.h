// What a model that PyTorch computes keeps for each token, and how its allocator rounds.
#pragma once

#include "dualgpuopt/memory/models/model_shape.h"

namespace dualgpuopt::memory {

/// Elements that one token takes in one layer, by what they belong to: each runtime has its own bytes for them.
struct TokenWidths {
  double embedding = 0;
  double queries = 0;      ///< heads * key length.
  double keys_values = 0;  ///< Of one of the two.
  double heads = 0;
  double inner = 0;               ///< Of the feed-forward part, or of all the experts that a token uses.
  double experts = 0;             ///< How many it uses.
  double norms = 2;               ///< Of the embedding's width.
  bool normalises_heads = false;  ///< Queries and keys are normalised too.
};

[[nodiscard]] TokenWidths token_widths(const ModelShape& shape, const LayerShape& layer);

/// What PyTorch's allocator takes from the device for a tensor of so many bytes: multiples of 512, and of 2 MiB from
/// 10 MiB on (c10/cuda/CUDACachingAllocator.cpp, kMinBlockSize, kMinLargeAlloc and kRoundLarge). Fragments between
/// tensors of different sizes are not foreseen.
[[nodiscard]] double allocated(double bytes);

/// Bytes that this rounding adds to a copy of the layers' matrices with so many bytes an element.
[[nodiscard]] double rounding(const ModelShape& shape, double bytes_per_element);

}  // namespace dualgpuopt::memory
