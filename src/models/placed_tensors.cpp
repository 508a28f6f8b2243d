#include "models/placed_tensors.h"

#include <algorithm>

namespace dualgpuopt::memory {
namespace {

struct Group {
  Bytes bytes = 0;
  std::uint64_t matrices = 0;
};

}  // namespace

ModelWeights weights_without(const Model& model, const std::vector<TensorPlace>& places) {
  auto weights = model.weights;
  for (const auto& place : places) {
    const auto& tensor = model.tensors[place.tensor];
    take_out(weights, tensor);
    if (weights.tied && tensor.is_embedding()) weights.output -= std::min(weights.output, tensor.bytes);
  }
  return weights;
}

HostMatrices host_matrices(const Model& model, const std::vector<TensorPlace>& places) {
  HostMatrices found;
  std::vector<Group> experts(model.shape.layers.size());
  for (const auto& [index, gpu] : places) {
    const auto& tensor = model.tensors[index];
    if (gpu || !tensor.layer) continue;
    if (!tensor.is_of_experts()) {
      found.others = std::max(found.others, tensor.bytes);
      continue;
    }
    auto& group = experts[*tensor.layer];
    group.bytes += tensor.bytes;
    ++group.matrices;
  }
  for (const auto& group : experts)
    found.experts = std::max(found.experts, group.bytes / std::max<std::uint64_t>(group.matrices, 1));
  return found;
}

const TensorPlace* output_place(const Model& model, const std::vector<TensorPlace>& places) {
  const auto* const name = model.weights.tied ? "token_embd.weight" : "output.weight";
  const auto found = std::find_if(places.begin(), places.end(),
                                  [&](const TensorPlace& place) { return model.tensors[place.tensor].name == name; });
  return found == places.end() ? nullptr : &*found;
}

}  // namespace dualgpuopt::memory
