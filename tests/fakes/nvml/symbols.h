// The functions that the library exports, by name.
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace nvml_fake {

/// All that symbols.txt lists, whatever the generation; sorted.
inline constexpr std::array kSymbols{
#include "nvml_symbol_names.inc"
};

/// The place of an exact name in kSymbols.
[[nodiscard]] std::optional<std::size_t> symbol_index(std::string_view symbol);

/// What scenarios call a function: "MemoryInfo" for nvmlDeviceGetMemoryInfo_v2, "Init" for every nvmlInit….
[[nodiscard]] std::string_view call_name(std::string_view symbol);

/// Whether `call` is an exact name, or the call_name of one.
[[nodiscard]] bool names_a_call(std::string_view call);
/// Whether a scenario that says `call` means this function.
[[nodiscard]] bool means(std::string_view call, std::string_view symbol);

}  // namespace nvml_fake
