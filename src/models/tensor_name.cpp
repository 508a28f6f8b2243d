#include "models/tensor_name.h"

#include <charconv>

namespace dualgpuopt::memory {

std::optional<std::size_t> layer_in_name(std::string_view tensor) {
  constexpr std::string_view prefix = "blk.";
  if (!tensor.starts_with(prefix)) return std::nullopt;
  std::size_t layer = 0;
  const auto* const last = tensor.data() + tensor.size();
  const auto [end, error] = std::from_chars(tensor.data() + prefix.size(), last, layer);
  return error == std::errc() && end != last && *end == '.' ? std::optional(layer) : std::nullopt;
}

}  // namespace dualgpuopt::memory
