#include "models/mixture_rules.h"

#include <algorithm>
#include <array>

namespace dualgpuopt::memory {
namespace {

using Place = Quantisation::Place;
using Name = std::string_view;

template <std::size_t N>
bool is_one_of(Name name, const std::array<Name, N>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_lowest(Name mixture) {
  constexpr std::array<Name, 6> lowest{"iq1_s", "iq1_m", "iq2_xxs", "iq2_xs", "iq2_s", "iq2_m"};
  return is_one_of(mixture, lowest);
}

bool is_larger_iq2(Name mixture) { return mixture == "iq2_s" || mixture == "iq2_m"; }
bool is_iq1(Name mixture) { return mixture == "iq1_s" || mixture == "iq1_m"; }
bool is_medium(Name mixture) { return mixture == "q4_k_m" || mixture == "q5_k_m"; }
bool is_iq4(Name mixture) { return mixture == "iq4_nl" || mixture == "iq4_xs"; }

bool is_first_eighth(const Place& at) { return at.layer < at.layers / 8; }

/// The layers that get more bits: the first and last eighth, and each third between.
bool gets_more_bits(const Place& at) {
  return is_first_eighth(at) || at.layer >= 7 * at.layers / 8 || (at.layer - at.layers / 8) % 3 == 2;
}

constexpr std::uint64_t kSharedByMany = 4;  // Heads for each key-value head, from which on values get more bits,
constexpr std::uint64_t kFewExperts = 8;    // and so they do in Mixtral.
constexpr std::uint64_t kLayersOf70B = 80;

Name output_format(Name mixture, Name base) {
  if (is_lowest(mixture) || mixture == "iq3_xxs") return "q5_k";
  return base == "q8_0" ? base : "q6_k";
}

Name embedding_format(Name mixture, Name base) {
  if (is_larger_iq2(mixture) || mixture == "iq3_xxs") return "iq3_s";
  if (is_lowest(mixture)) return "q2_k";
  return mixture == "tq1_0" || mixture == "tq2_0" ? "q4_k" : base;
}

Name lowest_format(Name mixture, Name base, TensorRole role, const Place& at) {
  const Name better = is_larger_iq2(mixture) ? "iq3_s" : "q2_k";
  if (role == TensorRole::Value) return at.query_groups >= kSharedByMany || at.experts >= 4 ? "q4_k" : better;
  if (role == TensorRole::Key && at.experts == kFewExperts) return "q4_k";
  if (role == TensorRole::Down && is_first_eighth(at)) return better;
  if (role != TensorRole::AttentionOutput) return base;
  if (at.experts == kFewExperts) return "q5_k";
  return is_iq1(mixture) ? "iq2_xxs" : is_larger_iq2(mixture) ? "iq3_s" : base;
}

Name plain_value_format(Name mixture, Name base, const Place& at) {
  const bool is_shared = at.query_groups >= kSharedByMany;
  if (mixture == "q2_k") return is_shared ? "q4_k" : "q3_k";
  if (mixture == "iq3_m") return "q4_k";
  if (mixture == "q3_k_m") return at.layer < 2 ? "q5_k" : "q4_k";
  if (mixture == "q3_k_l") return "q5_k";
  if (is_medium(mixture) && gets_more_bits(at)) return "q6_k";
  if (mixture == "q4_k_s" && at.layer < 4) return "q5_k";
  constexpr std::array<Name, 4> raised{"q2_k_s", "iq3_xxs", "iq3_xs", "iq3_s"};
  if (is_shared && is_one_of(mixture, raised)) return "q4_k";
  return is_shared && is_iq4(mixture) ? "q5_k" : base;
}

Name value_format(Name mixture, Name base, const Place& at) {
  if (at.experts == kFewExperts) return "q8_0";
  const auto format = plain_value_format(mixture, base, at);
  const bool is_70b = at.layers == kLayersOf70B && at.query_groups > 1;
  return is_70b && (format == "q3_k" || format == "q4_k") ? "q5_k" : format;
}

Name query_format(Name mixture, Name base) {
  if (mixture == "iq3_xs") return "iq3_xxs";
  return mixture == "iq3_xxs" ? "iq2_s" : base;
}

Name down_format(Name mixture, Name base, const Place& at) {
  if (mixture == "q2_k") return "q3_k";
  if (mixture == "q3_k_m") return at.layer < at.layers / 16 ? "q5_k" : "q4_k";
  if (mixture == "q3_k_l") return "q5_k";
  if (is_medium(mixture) && gets_more_bits(at)) return "q6_k";
  if (mixture == "iq3_m" && at.experts == kFewExperts && gets_more_bits(at)) return "q4_k";
  if (!is_first_eighth(at)) return base;
  if (mixture == "q2_k_s" || mixture == "iq3_m") return "q4_k";
  return mixture == "q4_k_s" ? "q5_k" : base;
}

Name attention_output_format(Name mixture, Name base, const Place& at) {
  constexpr std::array<Name, 11> raised{"q2_k",   "iq3_xs", "iq3_xxs", "q3_k_s", "q3_k_m", "iq4_nl",
                                        "q4_k_s", "q4_k_m", "iq3_s",   "iq3_m",  "iq4_xs"};
  if (at.experts == kFewExperts) return is_one_of(mixture, raised) ? "q5_k" : base;
  if (mixture == "q2_k") return "q3_k";
  if (mixture == "iq3_xxs") return "iq3_s";
  if (mixture == "q3_k_m" || mixture == "iq3_m") return "q4_k";
  return mixture == "q3_k_l" ? "q5_k" : base;
}

Name fused_format(Name mixture, Name base) {
  if (mixture == "q3_k_m" || mixture == "q3_k_l" || mixture == "iq3_m") return "q4_k";
  if (mixture == "q4_k_m") return "q5_k";
  return mixture == "q5_k_m" ? "q6_k" : base;
}

Name gate_format(Name mixture, Name base, const Place& at) {
  const bool is_between = !is_first_eighth(at) && at.layer < 7 * at.layers / 8;
  return mixture == "iq3_xs" && is_between ? "iq3_xxs" : base;
}

}  // namespace

Name format_in_mixture(Name mixture, Name base, TensorRole role, const Place& at) {
  if (role == TensorRole::Output) return output_format(mixture, base);
  if (role == TensorRole::Embedding) return embedding_format(mixture, base);
  if (is_lowest(mixture)) return lowest_format(mixture, base, role, at);
  switch (role) {
    case TensorRole::Value: return value_format(mixture, base, at);
    case TensorRole::Key: return at.experts == kFewExperts ? "q8_0" : query_format(mixture, base);
    case TensorRole::Query: return query_format(mixture, base);
    case TensorRole::Fused: return fused_format(mixture, base);
    case TensorRole::AttentionOutput: return attention_output_format(mixture, base, at);
    case TensorRole::Gate:
    case TensorRole::Up: return gate_format(mixture, base, at);
    case TensorRole::Down: return down_format(mixture, base, at);
    default: return base;
  }
}

Name format_of_small_blocks(Name format) {
  if (format == "q4_k") return "q5_0";
  if (format == "q5_k") return "q5_1";
  if (format == "q6_k") return "q8_0";
  return format.starts_with("iq") ? "iq4_nl" : "q4_0";
}

}  // namespace dualgpuopt::memory
