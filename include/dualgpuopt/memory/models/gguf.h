// The header of a GGUF file: its metadata and its table of tensors, without a byte of the weights.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "dualgpuopt/memory/core/error.h"
#include "dualgpuopt/memory/models/tensor_type.h"

namespace dualgpuopt::memory {

/// A list of numbers as far as it is short enough to describe layers; of others only the length is kept.
struct GgufList {
  std::uint64_t length = 0;
  std::vector<double> numbers;  ///< Empty where it holds texts, or more than kMostListed numbers.

  static constexpr std::uint64_t kMostListed = 4096;
};

/// Signed and unsigned whole numbers, truth values as 0 or 1 and floating point are all numbers here.
using GgufValue = std::variant<double, std::string, GgufList>;

struct GgufTensor {
  std::string name;
  std::uint32_t type = 0;                ///< Its code; see tensor_type().
  std::array<std::uint64_t, 4> shape{};  ///< The row's length first; 1 beyond the tensor's dimensions.
  Bytes bytes = 0;
};

/// What a GGUF header says. A plain value.
struct GgufHeader {
  std::uint32_t version = 0;
  std::map<std::string, GgufValue, std::less<>> metadata;
  std::vector<GgufTensor> tensors;
  Bytes missing = 0;  ///< Of the weights that the table of tensors tells, how many lie beyond the end of the file.

  /// Empty when there is no such key, or when it holds something else.
  [[nodiscard]] std::optional<double> number(std::string_view key) const;
  [[nodiscard]] std::optional<std::string> text(std::string_view key) const;
  [[nodiscard]] const GgufList* list(std::string_view key) const;
};

/// What is more is an error: memory and time stay bounded whatever a file claims.
struct GgufLimits {
  std::uint64_t keys = 1U << 16;
  std::uint64_t tensors = 1U << 16;
  std::uint64_t text = 1U << 20;  ///< Bytes of one text that is kept.
};

/// Reads versions 2 and 3, little-endian (github.com/ggml-org/ggml, docs/gguf.md). Lengths are checked against what is
/// left of the file before anything is reserved. Errors: NotFound, ParseFailed with the place in bytes and what was
/// expected there.
[[nodiscard]] Result<GgufHeader> read_gguf(const std::filesystem::path& file, const GgufLimits& limits = {});

/// The same of a model in one file or in several: of "name-00001-of-00003.gguf" all parts are read, and their tensors
/// are joined in order. Errors name the part.
[[nodiscard]] Result<GgufHeader> read_gguf_model(const std::filesystem::path& file, const GgufLimits& limits = {});

}  // namespace dualgpuopt::memory
