// Standard output or a file, with every write checked: a full disk is an error, not silence.
#pragma once

#include <string>
#include <string_view>

#include "dualgpuopt/memory/core/error.h"

namespace dualgpuopt::memory::cli {

/// Writes whole texts to a file descriptor at once, so that a line is there completely or not at all as soon as
/// write() has returned, whatever happens to this process after it.
class Output {
 public:
  /// Standard output.
  Output() = default;
  /// Creates `path`; an existing file is an error (InvalidArgument), so that no recording is ever overwritten.
  [[nodiscard]] static Result<Output> create(const std::string& path);
  Output(Output&& other) noexcept;
  Output& operator=(Output&&) = delete;
  ~Output();

  /// Writes the text; when that fails half-way, a file is cut back to where it was. Errors: Io.
  [[nodiscard]] Result<void> write(std::string_view text);
  /// The text and a line feed.
  [[nodiscard]] Result<void> line(std::string text);

  [[nodiscard]] bool is_terminal() const;

 private:
  Output(int descriptor, std::string name) : descriptor_(descriptor), name_(std::move(name)) {}

  int descriptor_ = 1;
  std::string name_ = "standard output";
};

}  // namespace dualgpuopt::memory::cli
