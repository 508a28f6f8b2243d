// Finding phrases and sizes in the words of an error; all texts are in lower case. Private to the library.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "dualgpuopt/memory/core/units.h"

namespace dualgpuopt::memory {

/// A size as it is printed; `bytes` is empty for a number that is negative or from 2^63 up.
struct Amount {
  std::optional<Bytes> bytes;
  std::size_t end = 0;  ///< Where the text goes on.
};

[[nodiscard]] bool contains(std::string_view text, std::string_view phrase);
[[nodiscard]] bool contains_any(std::string_view text, std::initializer_list<std::string_view> phrases);

/// "2.00 gib", "3206250496b", "8,000,000 bytes", "12" at `at`, blanks before it passed over. All units are powers of
/// 1024, "GB" too: so the frameworks reckon. A bare whole number is bytes. Empty where there is no number.
[[nodiscard]] std::optional<Amount> amount_at(std::string_view text, std::size_t at);
/// The amount that follows the phrase's first occurrence with an amount.
[[nodiscard]] std::optional<Amount> amount_after(std::string_view text, std::string_view phrase);
/// As amount_after, but the bytes in the brackets that follow, as in "2.99gib (3206250496b)", where there are some.
[[nodiscard]] std::optional<Amount> exact_amount_after(std::string_view text, std::string_view phrase);
/// The amount right before the phrase's first occurrence with an amount.
[[nodiscard]] std::optional<Amount> amount_before(std::string_view text, std::string_view phrase);

/// The whole number that follows the phrase.
[[nodiscard]] std::optional<std::uint64_t> number_after(std::string_view text, std::string_view phrase);
/// A device's index from 0 to 1023 that follows the phrase.
[[nodiscard]] std::optional<int> device_after(std::string_view text, std::string_view phrase);
/// A decimal number that follows the phrase, "-0.53" too.
[[nodiscard]] std::optional<double> decimal_after(std::string_view text, std::string_view phrase);

}  // namespace dualgpuopt::memory
