// The formats that llama.cpp's mixtures give some tensors instead of their own.
#pragma once

#include <string_view>

#include "models/quantisation.h"

namespace dualgpuopt::memory {

/// The format of such a tensor in a mixture such as "q4_k_m", or `base` where no rule is about it (llama-quant.cpp,
/// llama_tensor_get_type). Files made without an importance matrix differ in a few down-projections.
[[nodiscard]] std::string_view format_in_mixture(std::string_view mixture, std::string_view base, TensorRole role,
                                                 const Quantisation::Place& at);

/// What takes a format's place where rows are not whole blocks of 256 (llama-quant.cpp, tensor_type_fallback).
[[nodiscard]] std::string_view format_of_small_blocks(std::string_view format);

}  // namespace dualgpuopt::memory
