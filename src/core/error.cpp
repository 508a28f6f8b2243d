#include "dualgpuopt/memory/core/error.h"

#include <algorithm>

namespace dualgpuopt::memory {
namespace {

constexpr std::size_t kLongestQuote = 40;

}  // namespace

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::InvalidArgument: return "invalid_argument";
    case ErrorCode::ParseFailed: return "parse_failed";
    case ErrorCode::NotFound: return "not_found";
    case ErrorCode::Unavailable: return "unavailable";
    case ErrorCode::Unsupported: return "unsupported";
    case ErrorCode::PermissionDenied: return "permission_denied";
    case ErrorCode::TimedOut: return "timed_out";
    case ErrorCode::Io: return "io";
  }
  return "unknown";
}

Error Error::with_context(std::string step) && {
  context_.push_back(std::move(step));
  return std::move(*this);
}

std::string Error::describe() const {
  std::string line;
  std::for_each(context_.rbegin(), context_.rend(), [&](const std::string& step) { line += step + ": "; });
  return line + message_;
}

std::string in_quotes(std::string_view text) {
  std::string shown = "\"";
  for (const char c : text.substr(0, kLongestQuote)) shown += (c >= ' ' && c <= '~') ? c : '?';
  return shown + (text.size() > kLongestQuote ? "...\"" : "\"");
}

}  // namespace dualgpuopt::memory
