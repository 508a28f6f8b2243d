#include "dualgpuopt/memory/predictor/model_profile.h"

#include <algorithm>
#include <limits>

namespace dualgpuopt::memory {
namespace {

constexpr Bytes kMost = std::numeric_limits<Bytes>::max();

Bytes saturating_product(Bytes each, std::uint64_t count) {
  return each != 0 && count > kMost / each ? kMost : each * count;
}

Bytes saturating_sum(Bytes a, Bytes b) { return a > kMost - b ? kMost : a + b; }

/// How many of `each` fit into what `fixed` leaves of `available`.
std::optional<std::uint64_t> how_many_fit(Bytes available, Bytes fixed, Bytes each) {
  if (fixed > available) return 0;
  if (each == 0) return std::nullopt;
  return (available - fixed) / each;
}

}  // namespace

Bytes ModelProfile::estimate_usage(std::uint64_t batch_size, std::uint64_t token_count) const {
  const auto batches = saturating_product(per_batch, batch_size);
  return saturating_sum(saturating_sum(base, batches), saturating_product(per_token, token_count));
}

std::optional<std::uint64_t> ModelProfile::max_batch_size(Bytes available, std::uint64_t token_count) const {
  return how_many_fit(available, estimate_usage(0, token_count), per_batch);
}

std::optional<std::uint64_t> ModelProfile::max_sequence_length(Bytes available, std::uint64_t batch_size) const {
  return how_many_fit(available, estimate_usage(batch_size, 0), per_token);
}

const std::array<ModelProfile, 5>& default_model_profiles() {
  static const std::array<ModelProfile, 5> profiles{{
      {"llama2-7b", 7_GiB, 50_MiB, 3_KiB},
      {"llama2-13b", 13_GiB, 100_MiB, 5_KiB},
      {"llama2-70b", 35_GiB, 350_MiB, 18_KiB},
      {"mistral-7b", 8_GiB, 55_MiB, 3_KiB},
      {"mixtral-8x7b", 25_GiB, 200_MiB, 12_KiB},
  }};
  return profiles;
}

const ModelProfile* find_default_profile(std::string_view name) {
  const auto& profiles = default_model_profiles();
  const auto* found = std::find_if(profiles.begin(), profiles.end(), [&](const auto& p) { return p.name == name; });
  return found == profiles.end() ? nullptr : &*found;
}

}  // namespace dualgpuopt::memory
