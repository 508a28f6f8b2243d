// Reads little-endian numbers and texts from the beginning of a file, and never more than the file holds.
#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <istream>
#include <memory>
#include <string>
#include <vector>

#include "dualgpuopt/memory/core/error.h"

namespace dualgpuopt::memory {

/// The first failure stays: after it every read gives zeros, so that a reader of many fields looks once. Positions are
/// bytes from the beginning of the file.
class ByteReader {
 public:
  /// Errors: NotFound when there is no such file, Io when it cannot be read.
  [[nodiscard]] static Result<ByteReader> open(const std::filesystem::path& file);
  /// Over a stream of `size` bytes.
  ByteReader(std::unique_ptr<std::istream> stream, std::uint64_t size);

  template <typename Number>
  [[nodiscard]] Number number(std::string_view what) {
    Number value{};
    read(reinterpret_cast<char*>(&value), sizeof(value), what);
    return value;
  }
  /// A text of `length` bytes; longer than `most` is a failure.
  [[nodiscard]] std::string text(std::uint64_t length, std::uint64_t most, std::string_view what);
  void skip(std::uint64_t bytes, std::string_view what);

  /// Says what is wrong at this place, unless something was before.
  void refuse(const std::string& why);
  [[nodiscard]] bool failed() const { return !failure_.empty(); }
  /// What went wrong first, with its place.
  [[nodiscard]] const std::string& failure() const { return failure_; }

  [[nodiscard]] std::uint64_t position() const { return position_; }
  [[nodiscard]] std::uint64_t left() const { return size_ - position_; }
  [[nodiscard]] std::uint64_t size() const { return size_; }

 private:
  void read(char* into, std::uint64_t bytes, std::string_view what);
  [[nodiscard]] bool has(std::uint64_t bytes, std::string_view what);
  void fill();

  std::unique_ptr<std::istream> stream_;
  std::uint64_t size_;
  std::uint64_t position_ = 0;
  std::string failure_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;  // of what is in the buffer and not yet read
  std::size_t end_ = 0;
};

}  // namespace dualgpuopt::memory
