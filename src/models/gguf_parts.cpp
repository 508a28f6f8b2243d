#include "models/gguf_parts.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>

#include "core/format.h"

namespace dualgpuopt::memory {
namespace {

constexpr std::string_view kOf = "-of-";
constexpr std::string_view kSuffix = ".gguf";
constexpr std::size_t kDigits = 5;
constexpr std::size_t kTail = 1 + kDigits + kOf.size() + kDigits + kSuffix.size();  // "-00001-of-00003.gguf"

std::optional<unsigned> five_digits(std::string_view text) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (text.size() != kDigits || !std::all_of(text.begin(), text.end(), is_digit)) return std::nullopt;
  unsigned number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace

std::vector<std::filesystem::path> gguf_parts(const std::filesystem::path& file) {
  const auto name = file.filename().string();
  if (name.size() <= kTail) return {file};
  const auto tail = std::string_view(name).substr(name.size() - kTail);
  const auto part = five_digits(tail.substr(1, kDigits));
  const auto parts = five_digits(tail.substr(1 + kDigits + kOf.size(), kDigits));
  const bool is_split = tail.front() == '-' && tail.substr(1 + kDigits, kOf.size()) == kOf && tail.ends_with(kSuffix);
  if (!is_split || !part || !parts || *part == 0 || *part > *parts) return {file};
  std::vector<std::filesystem::path> files;
  const auto stem = name.substr(0, name.size() - kTail);
  for (unsigned i = 1; i <= *parts; ++i) {
    files.push_back(file.parent_path() / format_text("{}-{:05}-of-{:05}.gguf", stem, i, *parts));
  }
  return files;
}

}  // namespace dualgpuopt::memory
