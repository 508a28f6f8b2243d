// Writes GGUF files for tests, piece by piece, so that each piece can be wrong.
#pragma once

#include <unistd.h>
#include <cstdint>
#include <cstring>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace dualgpuopt::memory::testing {

/// Collects the header's bytes; write() puts the counts in front.
class GgufWriter {
 public:
  enum Kind : std::uint32_t { U8, I8, U16, I16, U32, I32, F32, Bool, Text, List, U64, I64, F64 };

  std::uint32_t version = 3;
  std::uint64_t extra_keys = 0;  ///< Announced, but not there.
  std::uint64_t extra_tensors = 0;

  GgufWriter& number(const std::string& key, std::uint32_t value) {
    begin(key, U32);
    return raw(pairs_, value);
  }
  GgufWriter& real(const std::string& key, float value) {
    begin(key, F32);
    return raw(pairs_, value);
  }
  GgufWriter& text(const std::string& key, const std::string& value) {
    begin(key, Text);
    return string(pairs_, value);
  }
  GgufWriter& numbers(const std::string& key, const std::vector<std::int32_t>& values) {
    begin(key, List);
    raw(pairs_, std::uint32_t{I32});
    raw(pairs_, std::uint64_t{values.size()});
    for (const auto value : values) raw(pairs_, value);
    return *this;
  }
  GgufWriter& texts(const std::string& key, std::uint64_t count, const std::string& each) {
    begin(key, List);
    raw(pairs_, std::uint32_t{Text});
    raw(pairs_, count);
    for (std::uint64_t i = 0; i < count; ++i) string(pairs_, each);
    return *this;
  }
  /// A list that claims a length and holds nothing.
  GgufWriter& empty_list(const std::string& key, std::uint32_t kind, std::uint64_t length) {
    begin(key, List);
    raw(pairs_, kind);
    return raw(pairs_, length);
  }
  GgufWriter& tensor(const std::string& name, std::vector<std::uint64_t> shape, std::uint32_t type) {
    ++tensors_count_;
    string(tensors_, name);
    raw(tensors_, static_cast<std::uint32_t>(shape.size()));
    for (const auto dimension : shape) raw(tensors_, dimension);
    raw(tensors_, type);
    return raw(tensors_, std::uint64_t{0});
  }

  [[nodiscard]] std::string bytes() const {
    std::string all = "GGUF";
    const auto put = [&](auto value) { all.append(reinterpret_cast<const char*>(&value), sizeof(value)); };
    put(version);
    put(tensors_count_ + extra_tensors);
    put(pairs_count_ + extra_keys);
    return all + pairs_ + tensors_;
  }
  void write(const std::filesystem::path& file) const { std::ofstream(file, std::ios::binary) << bytes(); }

 private:
  void begin(const std::string& key, std::uint32_t kind) {
    ++pairs_count_;
    string(pairs_, key);
    raw(pairs_, kind);
  }
  template <typename Value>
  GgufWriter& raw(std::string& into, Value value) {
    into.append(reinterpret_cast<const char*>(&value), sizeof(value));
    return *this;
  }
  GgufWriter& string(std::string& into, const std::string& text) {
    raw(into, std::uint64_t{text.size()});
    into += text;
    return *this;
  }

  std::string pairs_;
  std::string tensors_;
  std::uint64_t pairs_count_ = 0;
  std::uint64_t tensors_count_ = 0;
};

/// A file in the test's own folder, gone with the object.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& name)
      : folder_(std::filesystem::temp_directory_path() /
                ("models_test_" + std::to_string(::getpid()) + "_" + std::to_string(counter()++))),
        path_(folder_ / name) {
    std::filesystem::create_directories(folder_);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() { std::filesystem::remove_all(folder_); }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }

 private:
  static int& counter() {
    static int count = 0;
    return count;
  }
  std::filesystem::path folder_;
  std::filesystem::path path_;
};

}  // namespace dualgpuopt::memory::testing
