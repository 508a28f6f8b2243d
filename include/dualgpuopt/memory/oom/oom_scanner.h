// Finds the out-of-memory errors in a log.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dualgpuopt/memory/oom/oom_error.h"

namespace dualgpuopt::memory {

/// Takes a log line by line. Knows PyTorch since 1.0 (CUDA, HIP, XPU and MPS), JAX, TensorFlow, llama.cpp and what is
/// built on it, vLLM, Ollama, CuPy, RMM, ONNX Runtime and CUDA's own words. Prefixes, colours and broken characters do
/// not matter. Of a line at most kLongestLine bytes are looked at, and at most kMostErrors kinds of errors are kept.
/// Not thread-safe.
class OomScanner {
 public:
  static constexpr std::size_t kLongestLine = 64U << 10;
  static constexpr std::size_t kMostErrors = 64;

  void feed(std::string_view line);
  /// What was found, the fatal ones first, else in the order of the log; equal errors are one, with their number.
  [[nodiscard]] std::vector<OomError> errors() const;

 private:
  void add(OomError error);

  std::uint64_t line_ = 0;
  std::uint64_t last_line_ = 0;  // of the last error or what continued it
  std::size_t last_ = 0;         // which one that was
  std::vector<OomError> found_;
};

}  // namespace dualgpuopt::memory
