// Reads the texts of a request for an estimate.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dualgpuopt/memory/models/estimate.h"

namespace dualgpuopt::memory {

/// "2", so many GPUs of any size, or "24GiB,16GiB", what is free on each.
struct GpuSpec {
  std::size_t count = 0;
  std::vector<Bytes> free;
};

/// What stands between commas.
[[nodiscard]] std::vector<std::string> pieces(const std::string& text);

/// Errors name the field.
[[nodiscard]] Result<GpuSpec> parse_gpus(const std::string& text);

/// For runtimes whose GPUs are alike: which size counts, where they are not. Empty where they are.
[[nodiscard]] std::optional<std::string> unequal_note(const GpuSpec& gpus);

/// Shares such as "3,1"; where none are given as runtimes have them: by what is free, or equal (empty).
[[nodiscard]] Result<std::vector<double>> parse_split(const std::string& text, const GpuSpec& gpus);

/// More than any model was trained for, and so little that sums of it do not overflow.
inline constexpr std::uint64_t kMostTokens = std::uint64_t{1} << 30;
[[nodiscard]] Result<void> check_context(std::uint64_t context);

/// The tokens that are asked for, or that the model was trained for.
[[nodiscard]] Result<std::uint64_t> context_of(const EstimateRequest& given, const ModelShape& shape);

[[nodiscard]] Result<TensorType> parse_cache_type(const char* field, const std::string& text);

}  // namespace dualgpuopt::memory
