#include "job/budget.h"

#include <charconv>

#include "core/format.h"

namespace dualgpuopt::memory::job {
namespace {

constexpr int kMostGpus = 1024;

Result<int> parse_gpu(std::string_view text) {
  int gpu = -1;
  const auto [rest, problem] = std::from_chars(text.data(), text.data() + text.size(), gpu);
  if (problem == std::errc{} && rest == text.data() + text.size() && gpu >= 0 && gpu < kMostGpus) return gpu;
  return fail(ErrorCode::ParseFailed, format_text("{} is no number of a GPU, as in 0:20GiB,1:8GiB", in_quotes(text)));
}

/// "0:20GiB" into `budget`.
Result<void> add_part(std::string_view part, Budget& budget) {
  const auto colon = part.find(':');
  if (colon == std::string_view::npos) {
    return fail(ErrorCode::ParseFailed,
                format_text("{} names no GPU; write one size for all, or 0:20GiB,1:8GiB", in_quotes(part)));
  }
  const auto gpu = parse_gpu(part.substr(0, colon));
  if (!gpu) return fail(gpu.error());
  const auto bytes = parse_bytes(part.substr(colon + 1));
  if (!bytes) return fail(bytes.error());
  if (budget.by_gpu.emplace(*gpu, *bytes).second) return {};
  return fail(ErrorCode::ParseFailed, format_text("GPU {} is named twice", *gpu));
}

}  // namespace

Result<Budget> parse_budget(std::string_view text) {
  Budget budget;
  if (text.find_first_of(":,") == std::string_view::npos) {
    const auto bytes = parse_bytes(text);
    if (!bytes) return fail(bytes.error());
    budget.total = *bytes;
    return budget;
  }
  for (std::size_t begin = 0; begin <= text.size();) {
    const auto end = std::min(text.find(',', begin), text.size());
    if (auto added = add_part(text.substr(begin, end - begin), budget); !added) return fail(added.error());
    begin = end + 1;
  }
  return budget;
}

std::string describe(const Budget& budget) {
  if (budget.total) return format_bytes(*budget.total);
  std::string text;
  for (const auto& [gpu, bytes] : budget.by_gpu) {
    text += format_text("{}{} on GPU {}", text.empty() ? "" : ", ", format_bytes(bytes), gpu);
  }
  return text;
}

}  // namespace dualgpuopt::memory::job
