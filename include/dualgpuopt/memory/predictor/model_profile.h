// How much memory a model takes by batch and context: simple linear profiles.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "dualgpuopt/memory/core/units.h"

namespace dualgpuopt::memory {

/// usage(batch, tokens) = base + batch * per_batch + tokens * per_token, in bytes. Sums and products that a Bytes
/// cannot hold stay at the most that it can. An estimate, as good as the three numbers are.
struct ModelProfile {
  std::string name;
  Bytes base = 0;       ///< The weights and what the runtime holds besides.
  Bytes per_batch = 0;  ///< Each sequence of a batch.
  Bytes per_token = 0;  ///< Each token of context.

  [[nodiscard]] Bytes estimate_usage(std::uint64_t batch_size, std::uint64_t token_count) const;
  /// The largest batch that fits into `available` beside the base and `token_count` tokens; 0 where not even one does
  /// ("does not fit"); empty where the rest fits and a batch costs nothing, so that there is no largest.
  [[nodiscard]] std::optional<std::uint64_t> max_batch_size(Bytes available, std::uint64_t token_count) const;
  /// The same for the context length.
  [[nodiscard]] std::optional<std::uint64_t> max_sequence_length(Bytes available, std::uint64_t batch_size) const;

  friend bool operator==(const ModelProfile&, const ModelProfile&) = default;
};

/// The five profiles of the original module: llama2-7b, llama2-13b, llama2-70b, mistral-7b, mixtral-8x7b.
[[nodiscard]] const std::array<ModelProfile, 5>& default_model_profiles();
/// One of them by name; null if there is none of that name.
[[nodiscard]] const ModelProfile* find_default_profile(std::string_view name);

}  // namespace dualgpuopt::memory
