#include "models/byte_reader.h"

#include <algorithm>
#include <bit>
#include <fstream>
#include <utility>

#include "core/format.h"

namespace dualgpuopt::memory {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers are copied as they lie in the file");

constexpr std::size_t kBufferSize = 256UL << 10;

}  // namespace

Result<ByteReader> ByteReader::open(const std::filesystem::path& file) {
  std::error_code code;
  if (!std::filesystem::exists(file, code)) return fail(ErrorCode::NotFound, "there is no such file");
  const auto size = std::filesystem::file_size(file, code);
  if (code) return fail(ErrorCode::Io, "it is not a file that can be read: " + code.message());
  auto stream = std::make_unique<std::ifstream>(file, std::ios::binary);
  if (!*stream) return fail(ErrorCode::Io, "it cannot be opened");
  return ByteReader(std::move(stream), size);
}

ByteReader::ByteReader(std::unique_ptr<std::istream> stream, std::uint64_t size)
    : stream_(std::move(stream)), size_(size), buffer_(kBufferSize) {}

void ByteReader::refuse(const std::string& why) {
  if (!failed()) failure_ = format_text("at byte {}: {}", position_, why);
}

bool ByteReader::has(std::uint64_t bytes, std::string_view what) {
  if (!failed() && bytes > left()) {
    refuse(format_text("the file ends within {}: {} bytes are wanted, {} are left", what, bytes, left()));
  }
  return !failed();
}

void ByteReader::fill() {
  stream_->read(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
  begin_ = 0;
  end_ = static_cast<std::size_t>(stream_->gcount());
  if (end_ == 0) refuse("the file cannot be read any further");
}

void ByteReader::read(char* into, std::uint64_t bytes, std::string_view what) {
  if (!has(bytes, what)) return;
  while (bytes > 0 && !failed()) {
    if (begin_ == end_) fill();
    const auto piece = std::min<std::uint64_t>(bytes, end_ - begin_);
    std::memcpy(into, buffer_.data() + begin_, piece);
    into += piece;
    begin_ += piece;
    position_ += piece;
    bytes -= piece;
  }
}

std::string ByteReader::text(std::uint64_t length, std::uint64_t most, std::string_view what) {
  if (!has(length, what)) return {};
  if (length > most) {
    refuse(format_text("{} has {} bytes; at most {} are expected", what, length, most));
    return {};
  }
  std::string text(length, '\0');
  read(text.data(), length, what);
  return text;
}

void ByteReader::skip(std::uint64_t bytes, std::string_view what) {
  if (!has(bytes, what)) return;
  const auto buffered = std::min<std::uint64_t>(bytes, end_ - begin_);
  begin_ += buffered;
  position_ += bytes;
  if (buffered < bytes) stream_->seekg(static_cast<std::streamoff>(bytes - buffered), std::ios::cur);
}

}  // namespace dualgpuopt::memory
