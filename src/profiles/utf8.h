// Whether a text is UTF-8; private to the library.
#pragma once

#include <string_view>

namespace dualgpuopt::memory {

/// As the Unicode standard has it (table 3-7): no overlong forms, no surrogates, nothing beyond U+10FFFF.
[[nodiscard]] bool is_utf8(std::string_view text);

}  // namespace dualgpuopt::memory
