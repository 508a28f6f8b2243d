#include "profiles/utf8.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace dualgpuopt::memory {
namespace {

/// Characters whose first byte lies in a range: their length, and the range of the second byte. The others are 80 to
/// BF.
struct Form {
  unsigned first_low, first_high;
  std::size_t length;
  unsigned second_low, second_high;
};

constexpr std::array kForms{
    Form{0x00, 0x7F, 1, 0, 0},       Form{0xC2, 0xDF, 2, 0x80, 0xBF}, Form{0xE0, 0xE0, 3, 0xA0, 0xBF},
    Form{0xE1, 0xEC, 3, 0x80, 0xBF}, Form{0xED, 0xED, 3, 0x80, 0x9F}, Form{0xEE, 0xEF, 3, 0x80, 0xBF},
    Form{0xF0, 0xF0, 4, 0x90, 0xBF}, Form{0xF1, 0xF3, 4, 0x80, 0xBF}, Form{0xF4, 0xF4, 4, 0x80, 0x8F},
};

unsigned byte_at(std::string_view text, std::size_t i) { return static_cast<unsigned char>(text[i]); }

/// Bytes of the character at the beginning; 0 where there is none.
std::size_t character_length(std::string_view text) {
  const auto first = byte_at(text, 0);
  const auto* form = std::find_if(kForms.begin(), kForms.end(),
                                  [&](const Form& f) { return first >= f.first_low && first <= f.first_high; });
  if (form == kForms.end() || text.size() < form->length) return 0;
  for (std::size_t i = 1; i < form->length; ++i) {
    const auto low = i == 1 ? form->second_low : 0x80;
    const auto high = i == 1 ? form->second_high : 0xBF;
    if (byte_at(text, i) < low || byte_at(text, i) > high) return 0;
  }
  return form->length;
}

}  // namespace

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const auto length = character_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace dualgpuopt::memory
