#include "models/hf_quantisation.h"

#include <string_view>

#include "dualgpuopt/memory/models/tensor_type.h"
#include "models/json_numbers.h"

namespace dualgpuopt::memory {
namespace {

using Json = nlohmann::json;

const Json& object_at(const Json& parent, const char* key) {
  static const Json kNone = Json::object();
  return parent.is_object() && parent.contains(key) && parent.at(key).is_object() ? parent.at(key) : kNone;
}

double number_at(const Json& object, const char* key, double otherwise) {
  return object.contains(key) && object.at(key).is_number() ? object.at(key).get<double>() : otherwise;
}

/// Whole bytes of the weights, and for each group a scale of two bytes and a zero of the weights' own bits (AWQ, GPTQ).
SmallLayers in_groups(double bits, double group) {
  constexpr double per_byte = 8;
  constexpr double scale = 2;
  const double bytes = bits / per_byte;
  return {group > 0 ? bytes + (scale + bytes) / group : bytes};
}

/// Of a group in a quantisation; none where it is no whole number of elements.
double group_at(const Json& object, double otherwise) {
  const double group = number_at(object, "group_size", otherwise);
  return group >= 1 ? group : 0;
}

/// "config_groups" of compressed-tensors name the bits of each group of layers; the published models have one group.
/// Floating point in 4 bits is NVFP4, with a byte's scale for each group and no zero.
std::optional<SmallLayers> compressed(const Json& quantisation) {
  for (const auto& group : object_at(quantisation, "config_groups")) {
    const auto& weights = object_at(group, "weights");
    const double bits = number_at(weights, "num_bits", 0);
    if (bits == 4 && text_at(weights, "type") == "float") return SmallLayers{tensor_type("nvfp4")->bytes_per_element()};
    if (bits > 0 && bits <= 16) return in_groups(bits, group_at(weights, 0));
  }
  return std::nullopt;
}

std::optional<SmallLayers> told_layers(const Json& quantisation) {
  constexpr double usual_group = 128;
  const auto method = text_at(quantisation, "quant_method");
  const auto algorithm = text_at(quantisation, "quant_algo");
  if (method == "mxfp4") return SmallLayers{tensor_type("mxfp4")->bytes_per_element(), true};
  if (method == "fp8" || method == "fbgemm_fp8" || algorithm == "FP8") return SmallLayers{1};
  if (is_set(quantisation, "load_in_8bit")) return SmallLayers{1};
  if (algorithm == "NVFP4") return SmallLayers{tensor_type("nvfp4")->bytes_per_element()};
  if (is_set(quantisation, "load_in_4bit")) {
    // Of each 64 a scale in 32 bits, or in a byte where scales are quantised themselves (BitsAndBytesConfig).
    const double scale_of_64 = is_set(quantisation, "bnb_4bit_use_double_quant") ? 1 : 4;
    return SmallLayers{0.5 + scale_of_64 / 64};
  }
  const double bits = number_at(quantisation, "bits", 0);
  if (bits > 0 && bits <= 16) return in_groups(bits, group_at(quantisation, usual_group));
  return compressed(quantisation);
}

/// As PyTorch names it, perhaps with its module before.
std::string number_format(std::string name) {
  constexpr std::string_view module = "torch.";
  if (name.starts_with(module)) name.erase(0, module.size());
  if (name == "float32" || name == "float") return "f32";
  return name == "float16" || name == "bfloat16" || name == "half" ? "bf16" : "";
}

}  // namespace

std::optional<SmallLayers> small_layers(const Json& config, const Json& text) {
  const auto told = told_layers(object_at(config, "quantization_config"));
  return told ? told : told_layers(object_at(text, "quantization_config"));
}

std::string told_number_format(const Json& config, const Json& text) {
  for (const auto* object : {&text, &config}) {
    for (const auto* key : {"dtype", "torch_dtype"}) {
      if (const auto format = number_format(text_at(*object, key)); !format.empty()) return format;
    }
  }
  return "";
}

}  // namespace dualgpuopt::memory
