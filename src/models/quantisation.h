// Which number format llama.cpp gives each tensor of a quantised file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "dualgpuopt/memory/core/error.h"
#include "dualgpuopt/memory/models/tensor_type.h"

namespace dualgpuopt::memory {

enum class TensorRole { Embedding, Output, Query, Key, Value, Fused, AttentionOutput, Gate, Up, Down, Other };

/// The mixture behind a file type such as "Q4_K - Medium" (as logs print it) or "q4_k_m" (as file names have it).
class Quantisation {
 public:
  /// Error: InvalidArgument when the name is not known.
  [[nodiscard]] static Result<Quantisation> parse(const std::string& file_type);

  /// All matrices alike, for a mixture of which the size alone is known; in bytes of one element.
  [[nodiscard]] static Quantisation uniform(double bytes);

  /// Layers' matrices, or those of experts alone, in so many bytes an element, and all else in bfloat16.
  [[nodiscard]] static Quantisation of_layers(double bytes, bool experts_alone);

  struct Place {
    std::uint64_t layer = 0;
    std::uint64_t layers = 1;
    std::uint64_t query_groups = 1;  ///< Heads for each key-value head.
    std::uint64_t experts = 0;
    std::uint64_t columns = 256;  ///< Elements of a row: not all formats can divide it.
    bool is_of_experts = false;
  };
  /// Bytes of one element of such a tensor.
  [[nodiscard]] double bytes_per_element(TensorRole role, const Place& place) const;

 private:
  Quantisation(TensorType base, std::string mixture) : base_(base), mixture_(std::move(mixture)) {}
  [[nodiscard]] bool is_kept(TensorRole role, const Place& place) const;
  [[nodiscard]] TensorType type_of(TensorRole role, const Place& place) const;

  TensorType base_;
  std::optional<double> uniform_;
  bool keeps_ends_ = false;     ///< Embedding and output are in bfloat16,
  bool experts_alone_ = false;  ///< and all that is not of experts.
  std::string mixture_;         ///< "q4_k_m"; for files of one format its name.
};

}  // namespace dualgpuopt::memory
