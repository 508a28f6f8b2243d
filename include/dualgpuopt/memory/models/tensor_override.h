// Tensors that are put on a device by name, as llama.cpp's --override-tensor does.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "dualgpuopt/memory/core/error.h"

namespace dualgpuopt::memory {

struct Model;

/// One of a model's tensors, by its place in Model::tensors, and where it is put.
struct TensorPlace {
  std::size_t tensor = 0;
  std::optional<std::size_t> gpu;  ///< Empty: host memory.

  friend bool operator==(const TensorPlace&, const TensorPlace&) = default;
};

/// Reads texts such as "blk\.(1[0-9])\.ffn_.*_exps=CPU,output=CUDA1": a regular expression over the tensors' names, and
/// CPU or a GPU by the name that llama.cpp gives it (CUDA0, ROCm1, Vulkan0, SYCL0). Of a tensor's patterns the first
/// counts. As with llama.cpp a pattern has neither comma nor equals sign. It is matched in linear time, whatever it is;
/// it may have 4096 bytes and 2048 states, and no groups that are referred to. Names of more than 128 bytes match
/// nothing: llama.cpp loads none of more than 63. Error: InvalidArgument, naming the option and what is wrong.
[[nodiscard]] Result<std::vector<TensorPlace>> place_tensors(const Model& model, const std::vector<std::string>& texts,
                                                             std::size_t gpus);

}  // namespace dualgpuopt::memory
