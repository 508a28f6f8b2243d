// What tensors that are placed by name leave where they would have been, and bring where they are.
#pragma once

#include <optional>
#include <vector>

#include "dualgpuopt/memory/models/llamacpp.h"

namespace dualgpuopt::memory {

/// The model's weights without them.
[[nodiscard]] ModelWeights weights_without(const Model& model, const std::vector<TensorPlace>& places);

/// Matrices in host memory that the first GPU takes to work on for large batches, by what decides whether it does.
struct HostMatrices {
  Bytes experts = 0;  ///< Of a layer's experts there, one matrix on average, as --cpu-moe has it; the largest.
  Bytes others = 0;   ///< The largest of the layers' other matrices.
};
[[nodiscard]] HostMatrices host_matrices(const Model& model, const std::vector<TensorPlace>& places);

/// Where the output matrix is put, where that is told: the embedding's place where the two are one.
[[nodiscard]] const TensorPlace* output_place(const Model& model, const std::vector<TensorPlace>& places);

}  // namespace dualgpuopt::memory
