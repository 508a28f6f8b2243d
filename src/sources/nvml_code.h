// NVML's return codes in words.
#pragma once

#include <string>
#include <string_view>

#include "sources/nvml_abi.h"

namespace dualgpuopt::memory::nvml {

/// One sentence on what the code means and, where anything can be done about it, what.
[[nodiscard]] std::string_view explain(Code code);

/// "GPU is lost (NVML code 15): the GPU does not answer any more; …": the driver's own text, the number, and explain().
/// An empty driver text is left out.
[[nodiscard]] std::string describe(Code code, std::string_view driver_text);

}  // namespace dualgpuopt::memory::nvml
