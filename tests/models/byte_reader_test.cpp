#include "models/byte_reader.h"

#include <gtest/gtest.h>

#include "models/gguf_writer.h"

namespace dualgpuopt::memory {
namespace {

using testing::TemporaryFile;

Result<ByteReader> reader_of(const TemporaryFile& file, const std::string& bytes) {
  std::ofstream(file.path(), std::ios::binary) << bytes;
  return ByteReader::open(file.path());
}

TEST(ByteReader, ReadsAndSkips) {
  const TemporaryFile file("bytes");
  auto reader = reader_of(file, std::string("\x01\x02\x00\x00skipABC", 11));
  ASSERT_TRUE(reader);
  EXPECT_EQ(reader->number<std::uint32_t>("a number"), 0x201U);
  reader->skip(4, "some");
  EXPECT_EQ(reader->text(3, 3, "a text"), "ABC");
  EXPECT_EQ(reader->left(), 0U);
  EXPECT_FALSE(reader->failed());
}

TEST(ByteReader, SkipsFarBeyondItsBuffer) {
  const TemporaryFile file("bytes");
  auto reader = reader_of(file, "a" + std::string(3 << 20, 'x') + "b");
  (void)reader->text(1, 1, "a letter");
  reader->skip(3 << 20, "the middle");
  EXPECT_EQ(reader->text(1, 1, "a letter"), "b");
  EXPECT_FALSE(reader->failed());
}

TEST(ByteReader, SaysWhereTheFileEnds) {
  const TemporaryFile file("bytes");
  auto reader = reader_of(file, "12345");
  (void)reader->number<std::uint32_t>("a number");
  EXPECT_EQ(reader->number<std::uint32_t>("the next number"), 0U);
  EXPECT_EQ(reader->failure(), "at byte 4: the file ends within the next number: 4 bytes are wanted, 1 are left");
  reader->refuse("something else");
  EXPECT_EQ(reader->failure(), "at byte 4: the file ends within the next number: 4 bytes are wanted, 1 are left")
      << "the first failure stays";
}

TEST(ByteReader, ReservesNothingThatTheFileCannotHold) {
  const TemporaryFile file("bytes");
  auto reader = reader_of(file, "12345");
  EXPECT_EQ(reader->text(1ULL << 62, 1ULL << 63, "a text"), "");
  EXPECT_TRUE(reader->failed());
}

TEST(ByteReader, RefusesATextThatIsTooLong) {
  const TemporaryFile file("bytes");
  auto reader = reader_of(file, "12345");
  EXPECT_EQ(reader->text(5, 4, "a name"), "");
  EXPECT_EQ(reader->failure(), "at byte 0: a name has 5 bytes; at most 4 are expected");
}

TEST(ByteReader, NeedsAFile) {
  EXPECT_EQ(ByteReader::open("/no/such/file").error().code(), ErrorCode::NotFound);
  EXPECT_EQ(ByteReader::open("/").error().code(), ErrorCode::Io);
}

}  // namespace
}  // namespace dualgpuopt::memory
