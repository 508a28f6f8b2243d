// Errors as values: what the environment can do to us is a Result, never an exception.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

namespace dualgpuopt::memory {

/// What kind of failure an Error is, for code that must decide; people read the message.
enum class ErrorCode {
  InvalidArgument,   ///< The caller asked for something that makes no sense.
  ParseFailed,       ///< A text could not be read; the message names the text and the place.
  NotFound,          ///< A file, device, process or name does not exist.
  Unavailable,       ///< It exists, but gives no answer now (a lost GPU, a missing driver).
  Unsupported,       ///< It exists, but cannot do this (an old driver, a missing function).
  PermissionDenied,  ///< The operating system or the driver refused.
  TimedOut,          ///< A deadline passed.
  Io,                ///< Reading or writing failed.
};

/// The code's name in lower case with underscores, as JSON and logs show it.
[[nodiscard]] std::string_view to_string(ErrorCode code);

/// A failure: a code, one sentence that says what failed and what to do, and the steps that led to it.
class [[nodiscard]] Error {
 public:
  Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

  [[nodiscard]] ErrorCode code() const { return code_; }
  [[nodiscard]] const std::string& message() const { return message_; }

  /// This error seen from one step further out: `with_context("trace a.csv")` puts that in front of describe().
  [[nodiscard]] Error with_context(std::string step) &&;

  /// One line: the context, outermost first, then the message, joined by ": ".
  [[nodiscard]] std::string describe() const;

 private:
  ErrorCode code_;
  std::string message_;
  std::vector<std::string> context_;  // innermost first
};

/// A value or the Error that explains why there is none.
template <typename T>
using Result = tl::expected<T, Error>;

/// `return fail(ErrorCode::NotFound, "…");` in a function that returns any Result.
[[nodiscard]] inline tl::unexpected<Error> fail(ErrorCode code, std::string message) {
  return tl::unexpected<Error>(Error(code, std::move(message)));
}

/// `return fail(std::move(result.error()));` hands an error on.
[[nodiscard]] inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

/// Foreign text as a message quotes it: in quotation marks, cut after forty characters, and with "?" for everything
/// that a terminal could act on.
[[nodiscard]] std::string in_quotes(std::string_view text);

}  // namespace dualgpuopt::memory
