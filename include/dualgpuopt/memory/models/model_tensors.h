// The tensors of a model by the names that llama.cpp gives them.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "dualgpuopt/memory/models/model_weights.h"

namespace dualgpuopt::memory {

struct ModelTensor {
  std::string name;  ///< "blk.7.ffn_up_exps.weight".
  Bytes bytes = 0;
  double elements = 0;
  std::optional<std::size_t> layer = {};  ///< Empty: of the embedding, or it counts with the output.
  std::uint64_t columns = 256;            ///< Elements of a row: not all formats can divide it.

  [[nodiscard]] bool is_of_experts() const { return name.find("_exps") != std::string::npos; }
  [[nodiscard]] bool is_embedding() const;
};

/// Those of a file, of a model of so many layers.
[[nodiscard]] std::vector<ModelTensor> tensors_of(const GgufHeader& header, std::size_t layers);

/// Where there is no table: embedding, output and the matrices of each layer as the shape tells them, without vectors.
/// The bytes of `weights` are divided among a layer's matrices as a file of that type has them.
[[nodiscard]] std::vector<ModelTensor> tensors_of(const ModelShape& shape, const ModelWeights& weights,
                                                  const std::string& file_type);

/// Of these weights, the part that a tensor counts with becomes less by its bytes, or more; nothing becomes negative.
void take_out(ModelWeights& weights, const ModelTensor& tensor);
void put_in(ModelWeights& weights, const ModelTensor& tensor);

}  // namespace dualgpuopt::memory
