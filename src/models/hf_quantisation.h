// The number formats that a config.json tells.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "dualgpuopt/memory/models/model_weights.h"

namespace dualgpuopt::memory {

/// What the "quantization_config" of a model, or of its language part, makes smaller; empty where none is known.
[[nodiscard]] std::optional<SmallLayers> small_layers(const nlohmann::json& config, const nlohmann::json& text);

/// Of weights that are not quantised, of the language model's own part first: "f32" or "bf16"; empty where it is not
/// told.
[[nodiscard]] std::string told_number_format(const nlohmann::json& config, const nlohmann::json& text);

}  // namespace dualgpuopt::memory
