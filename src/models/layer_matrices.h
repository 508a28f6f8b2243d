// The matrices of a layer, as the dimensions of a model tell them.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "dualgpuopt/memory/models/model_shape.h"
#include "models/quantisation.h"

namespace dualgpuopt::memory {

struct LayerMatrix {
  std::string_view name;  ///< As GGUF has it, without the layer: "attn_q", "ffn_up_exps".
  TensorRole role = TensorRole::Other;
  std::uint64_t columns = 0;
  std::uint64_t rows = 0;
  std::uint64_t copies = 1;  ///< One for each expert.

  [[nodiscard]] bool is_of_experts() const { return name.ends_with("_exps"); }
  /// In floating point: products of absurd dimensions overflow nothing.
  [[nodiscard]] double elements() const {
    return static_cast<double>(columns) * static_cast<double>(rows) * static_cast<double>(copies);
  }
};

/// Attention first, then the feed-forward part or the experts; vectors other than norms are left out.
[[nodiscard]] std::vector<LayerMatrix> layer_matrices(const ModelShape& shape, const LayerShape& layer);

}  // namespace dualgpuopt::memory
