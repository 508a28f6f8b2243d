// Finds the out-of-memory errors in a log of any size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dualgpuopt/memory/oom/oom_error.h"

namespace dualgpuopt::memory {

/// Reads a log piece by piece, in memory that does not grow with it. Knows PyTorch since 1.0 (CUDA, HIP, XPU, MPS and
/// others), JAX, TensorFlow, llama.cpp and what is built on it, vLLM, SGLang, Ollama, CuPy, RMM, ONNX Runtime, further
/// libraries, Linux's OOM killer and CUDA's own words. Colours, what loggers put before each line, the ends of lines
/// and broken characters do not matter, and a message may be wrapped anywhere. Not thread-safe.
class OomScanner {
 public:
  /// Lines are cut after so many bytes, and the rest of them is passed over.
  static constexpr std::size_t kLongestLine = 64U << 10;
  /// So many kinds of errors are kept; the others are counted.
  static constexpr std::size_t kMostErrors = 64;

  /// The next piece of the log, cut anywhere.
  void feed(std::string_view piece);
  /// What was found, the fatal ones first, else in the order of the log; equal errors are one, with their number. The
  /// scanner is not fed after it.
  [[nodiscard]] std::vector<OomError> finish();
  /// After finish(): how many errors were of further kinds.
  [[nodiscard]] std::size_t omitted() const { return omitted_; }

 private:
  void end_line();
  void take(std::string_view raw);
  void open(std::size_t family, std::string_view raw, std::string text);
  void extend(std::string_view rest);
  void pass_over(std::string_view line, std::string_view rest);
  [[nodiscard]] bool goes_on(std::string_view line) const;
  [[nodiscard]] std::string with_unfinished(std::string_view rest) const;
  [[nodiscard]] bool is_inside(std::size_t family, std::string_view rest) const;
  void close();
  void keep(OomError error);

  std::string line_;          // what is there of the current line
  std::uint64_t number_ = 1;  // of the current line

  std::string unfinished_;             // lines in which no error began: a message may be wrapped in its first words
  std::size_t unfinished_length_ = 0;  // of the last of them, with its prefix

  // The error that is being read: a message may go on for some lines.
  std::optional<std::size_t> family_;
  std::string text_;     // its lines, normalized
  std::string message_;  // its first line as it came
  std::uint64_t start_ = 0;
  std::size_t passed_ = 0;  // lines since its family last knew one
  bool is_next_ = false;    // the line before was of this error

  std::optional<OomSource> application_;
  std::vector<OomError> found_;
  std::size_t omitted_ = 0;
};

}  // namespace dualgpuopt::memory
