// The wordings of one family of programs: where an error begins, what belongs to it, and how it is read. Private to the
// library. All texts are as normalized() gives them.
#pragma once

#include <initializer_list>
#include <optional>
#include <string_view>
#include <vector>

#include "dualgpuopt/memory/oom/oom_error.h"
#include "oom/text_scan.h"

namespace dualgpuopt::memory {

struct OomFamily {
  /// Whether an error begins in this line.
  bool (*starts)(std::string_view line);
  /// Whether this line belongs to the error whose lines so far are `text`.
  bool (*continues)(std::string_view text, std::string_view line);
  /// Fills in what the error's lines say.
  void (*read)(std::string_view text, OomError& error);
  /// After so many lines that do not belong to it, an error is over.
  std::size_t patience;
};

/// What most messages need: they are one line, which a terminal or a logger may have wrapped.
inline constexpr std::size_t kWrappedLines = 12;

/// All families; where several know a line, the first one is right.
[[nodiscard]] const std::vector<OomFamily>& oom_families();

[[nodiscard]] OomFamily pytorch_family();
[[nodiscard]] OomFamily tensorflow_family();
[[nodiscard]] OomFamily xla_family();
[[nodiscard]] OomFamily ggml_family();
[[nodiscard]] OomFamily ollama_family();
[[nodiscard]] OomFamily serving_family();
[[nodiscard]] OomFamily libraries_family();
[[nodiscard]] OomFamily metal_family();
[[nodiscard]] OomFamily kernel_family();
[[nodiscard]] OomFamily cuda_family();

/// For families whose errors have no lines of their own kind after the first.
[[nodiscard]] bool nothing_continues(std::string_view text, std::string_view line);

/// The first index of a device that stands after one of the phrases.
[[nodiscard]] std::optional<int> first_device(std::string_view text, std::initializer_list<std::string_view> phrases);

/// Sets the member where it is empty and the text has the amount; notes an amount that no memory has.
void put(OomError& error, std::optional<Bytes> OomError::*member, const std::optional<Amount>& amount);

}  // namespace dualgpuopt::memory
