// A model's dimensions, as transformers' config.json names them.
#pragma once

#include <nlohmann/json.hpp>

#include "dualgpuopt/memory/models/model_shape.h"
#include "models/json_numbers.h"

namespace dualgpuopt::memory {

/// The language model's dimensions, which models with eyes have in an object of their own, with those that its class in
/// transformers has where the file leaves them out.
[[nodiscard]] nlohmann::json text_part(const nlohmann::json& config);

/// Of a language model's part; `numbers` reads it, and has the error.
[[nodiscard]] ModelShape shape_of(const nlohmann::json& text, JsonNumbers& numbers);

}  // namespace dualgpuopt::memory
