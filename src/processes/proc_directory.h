// One process's directory under /proc, held open: everything read through it is of the same process, even if that one
// ends meanwhile and its PID is given to another.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>

#include "dualgpuopt/memory/core/error.h"

namespace dualgpuopt::memory::proc {

/// Move-only; closes the directory in the end. Not a lock: the process may end at any time, and then reads fail.
class Directory {
 public:
  /// Errors: NotFound (no such process), PermissionDenied, Io; they name the PID or the file.
  [[nodiscard]] static Result<Directory> open(const std::filesystem::path& proc, pid_t pid);

  Directory(Directory&& other) noexcept;
  Directory& operator=(Directory&&) = delete;
  ~Directory();

  /// A file's text, cut off after kLongestText bytes. Errors: as for open().
  [[nodiscard]] Result<std::string> read(const char* file) const;
  /// Where a link points; empty when it cannot be looked at.
  [[nodiscard]] std::optional<std::string> read_link(const char* link) const;
  /// The full name of a file in here, for messages.
  [[nodiscard]] std::string name_of(const char* file) const { return (path_ / file).string(); }

  /// Command lines can be megabytes long; nobody reads that much of one.
  static constexpr std::size_t kLongestText = 256UL << 10;

 private:
  Directory(std::filesystem::path path, pid_t pid, int descriptor)
      : path_(std::move(path)), pid_(pid), descriptor_(descriptor) {}

  std::filesystem::path path_;
  pid_t pid_;
  int descriptor_;
};

}  // namespace dualgpuopt::memory::proc
