// The number formats of model files, and how many bytes they take.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "dualgpuopt/memory/core/units.h"

namespace dualgpuopt::memory {

/// A block-wise format: `block_bytes` hold `block_elements` elements of a row.
struct TensorType {
  std::string_view name;   ///< As llama.cpp prints it, in lower case: "q4_k".
  std::uint32_t code = 0;  ///< In GGUF's tensor table.
  std::uint32_t block_elements = 1;
  std::uint32_t block_bytes = 0;

  [[nodiscard]] constexpr double bytes_per_element() const { return static_cast<double>(block_bytes) / block_elements; }
};

/// By GGUF's code (ggml.h, enum ggml_type); empty for one that is not known.
[[nodiscard]] std::optional<TensorType> tensor_type(std::uint32_t code);
/// By name, in any letter case: "Q8_0", "bf16".
[[nodiscard]] std::optional<TensorType> tensor_type(std::string_view name);

/// Bytes of rows of `row_elements` each; empty when the rows do not divide into whole blocks or the size overflows.
[[nodiscard]] std::optional<Bytes> tensor_bytes(const TensorType& type, std::uint64_t row_elements, std::uint64_t rows);

}  // namespace dualgpuopt::memory
