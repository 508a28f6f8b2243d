#include "models/quantisation.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <utility>

#include "core/format.h"
#include "models/mixture_rules.h"

namespace dualgpuopt::memory {
namespace {

/// What stands before the name where llama.cpp guesses, and where a publisher mixes formats its own way.
std::string_view without_prefix(std::string_view file_type) {
  for (const std::string_view prefix : {"(guessed) ", "mostly ", "MOSTLY_", "all ", "~", "UD-"}) {
    if (file_type.starts_with(prefix)) file_type.remove_prefix(prefix.size());
  }
  return file_type;
}

/// "Q4_K - Medium" becomes "q4_k_m", "IQ3_K - 3.4325 bpw" "iq3_k", "Q8_0_R8" "q8_0", "all F32" "f32".
std::string mixture_name(std::string_view file_type) {
  file_type = without_prefix(file_type);
  std::string name;
  for (const char c : file_type.substr(0, file_type.find_first_of(" -,"))) {
    name += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  for (const std::string_view repacked : {"_4_4", "_4_8", "_8_8"}) {
    if (name.ends_with(repacked)) name.resize(name.size() - repacked.size());
  }
  if (name.ends_with("_xl")) name.resize(name.size() - 3);
  if (const auto repacked = name.rfind("_r"); repacked != std::string::npos && repacked + 3 >= name.size()) {
    name.resize(repacked);
  }
  for (const auto& [word, suffix] : {std::pair{"Small", "_s"}, {"Medium", "_m"}, {"Large", "_l"}}) {
    if (file_type.find(word) != std::string_view::npos) name += suffix;
  }
  if (name == "iq3_s" && file_type.find("mix") != std::string_view::npos) return "iq3_m";
  if (name.starts_with("q2_k_") && name != "q2_k_s") return "q2_k";
  if (name == "q4_k_l" || name == "q5_k_l") name.resize(name.size() - 2);
  return name == "q4_k" || name == "q5_k" || name == "q3_k" ? name + "_m" : name;
}

/// Formats that only forks of llama.cpp have, by their bits for each weight.
struct ForkType {
  std::string_view name;
  std::uint32_t bytes_of_256;
};
constexpr std::array kForkTypes{
    ForkType{"iq2_k", 76},   ForkType{"iq3_k", 110},  ForkType{"iq4_k", 144},   ForkType{"iq5_k", 176},
    ForkType{"iq6_k", 212},  ForkType{"iq4_ks", 136}, ForkType{"iq4_kss", 128}, ForkType{"iq2_ks", 70},
    ForkType{"iq5_ks", 168}, ForkType{"iq2_bn", 64},  ForkType{"iq1_bn", 52},   ForkType{"iq3_ks", 102},
    ForkType{"iq2_kl", 86},  ForkType{"iq1_kt", 56},  ForkType{"iq2_kt", 68},   ForkType{"iq3_kt", 100},
    ForkType{"iq4_kt", 128}, ForkType{"q6_0", 208},   ForkType{"q8_kv", 256},
};

std::optional<TensorType> base_of(std::string_view mixture) {
  auto name = mixture;
  if (name.size() > 4 && (name.ends_with("_s") || name.ends_with("_m") || name.ends_with("_l")) &&
      name.find("_k_") != name.npos) {
    name.remove_suffix(2);
  }
  // As llama_ftype_get_default_type has it.
  if (name == "iq2_s") name = "iq2_xs";
  if (name == "iq2_m") name = "iq2_s";
  if (name == "iq3_m" || name == "iq3_xs") name = "iq3_s";
  if (name == "q2_k_s") name = "q2_k";
  if (const auto type = tensor_type(name)) return type;
  const auto* const fork =
      std::find_if(kForkTypes.begin(), kForkTypes.end(), [&](const ForkType& f) { return f.name == name; });
  if (fork == kForkTypes.end()) return std::nullopt;
  return TensorType{fork->name, 0, 256, fork->bytes_of_256};
}

/// The number of "5.25 bpw".
std::optional<double> bits_for_each_weight(const std::string& file_type) {
  const auto unit = file_type.find(" bpw");
  if (unit == std::string::npos) return std::nullopt;
  const auto number = file_type.find_last_of(' ', unit == 0 ? 0 : unit - 1);
  const double bits = std::atof(file_type.c_str() + (number == std::string::npos ? 0 : number));
  return bits > 0 && bits <= 64 ? std::optional(bits) : std::nullopt;
}

TensorType named(std::string_view name) { return *tensor_type(name); }

bool is_one_format(const TensorType& type) { return type.block_elements == 1 || type.name == "q8_0"; }

/// Experts in it, all else in Q8_0: "MXFP4 MoE".
constexpr std::string_view kMixtureOfExperts = "mxfp4";

}  // namespace

Result<Quantisation> Quantisation::parse(const std::string& file_type) {
  const auto mixture = file_type.empty() ? "f16" : mixture_name(file_type);
  const auto base = base_of(mixture);
  if (base) return Quantisation(*base, mixture);
  if (const auto bits = bits_for_each_weight(file_type)) return uniform(*bits / 8);
  return fail(
      ErrorCode::InvalidArgument,
      format_text("the file type \"{}\" is not known: expected one as llama.cpp prints it, such as Q4_K_M, Q8_0 or F16",
                  file_type));
}

Quantisation Quantisation::uniform(double bytes) {
  Quantisation types(named("f32"), "");
  types.uniform_ = bytes;
  return types;
}

Quantisation Quantisation::of_layers(double bytes, bool experts_alone) {
  auto types = uniform(bytes);
  types.keeps_ends_ = true;
  types.experts_alone_ = experts_alone;
  return types;
}

bool Quantisation::is_kept(TensorRole role, const Place& place) const {
  const bool is_end = role == TensorRole::Embedding || role == TensorRole::Output;
  return (keeps_ends_ && is_end) || (experts_alone_ && !place.is_of_experts);
}

double Quantisation::bytes_per_element(TensorRole role, const Place& place) const {
  if (role == TensorRole::Other) return sizeof(float);
  if (is_kept(role, place)) return named("bf16").bytes_per_element();
  return uniform_ ? *uniform_ : type_of(role, place).bytes_per_element();
}

TensorType Quantisation::type_of(TensorRole role, const Place& at) const {
  if (mixture_ == kMixtureOfExperts) return named(at.is_of_experts ? "mxfp4" : "q8_0");
  if (is_one_format(base_)) return base_;
  const auto format = format_in_mixture(mixture_, base_.name, role, at);
  const auto type = format == base_.name ? base_ : named(format);
  return at.columns % type.block_elements == 0 ? type : named(format_of_small_blocks(type.name));
}

}  // namespace dualgpuopt::memory
