#include "dualgpuopt/memory/models/tensor_type.h"

#include <algorithm>
#include <array>
#include <limits>

namespace dualgpuopt::memory {
namespace {

// Block sizes from ggml-common.h (struct block_q4_0 and the others); the codes from ggml.h.
constexpr std::array kTypes{
    TensorType{"f32", 0, 1, 4},         TensorType{"f16", 1, 1, 2},         TensorType{"q4_0", 2, 32, 18},
    TensorType{"q4_1", 3, 32, 20},      TensorType{"q5_0", 6, 32, 22},      TensorType{"q5_1", 7, 32, 24},
    TensorType{"q8_0", 8, 32, 34},      TensorType{"q8_1", 9, 32, 36},      TensorType{"q2_k", 10, 256, 84},
    TensorType{"q3_k", 11, 256, 110},   TensorType{"q4_k", 12, 256, 144},   TensorType{"q5_k", 13, 256, 176},
    TensorType{"q6_k", 14, 256, 210},   TensorType{"q8_k", 15, 256, 292},   TensorType{"iq2_xxs", 16, 256, 66},
    TensorType{"iq2_xs", 17, 256, 74},  TensorType{"iq3_xxs", 18, 256, 98}, TensorType{"iq1_s", 19, 256, 50},
    TensorType{"iq4_nl", 20, 32, 18},   TensorType{"iq3_s", 21, 256, 110},  TensorType{"iq2_s", 22, 256, 82},
    TensorType{"iq4_xs", 23, 256, 136}, TensorType{"i8", 24, 1, 1},         TensorType{"i16", 25, 1, 2},
    TensorType{"i32", 26, 1, 4},        TensorType{"i64", 27, 1, 8},        TensorType{"f64", 28, 1, 8},
    TensorType{"iq1_m", 29, 256, 56},   TensorType{"bf16", 30, 1, 2},       TensorType{"tq1_0", 34, 256, 54},
    TensorType{"tq2_0", 35, 256, 66},   TensorType{"mxfp4", 39, 32, 17},    TensorType{"nvfp4", 40, 64, 36},
    TensorType{"q1_0", 41, 128, 18},
};

bool is_same_word(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

template <typename Predicate>
std::optional<TensorType> find_type(Predicate is_wanted) {
  const auto* const found = std::find_if(kTypes.begin(), kTypes.end(), is_wanted);
  return found == kTypes.end() ? std::nullopt : std::optional(*found);
}

}  // namespace

std::optional<TensorType> tensor_type(std::uint32_t code) {
  return find_type([&](const TensorType& type) { return type.code == code; });
}

std::optional<TensorType> tensor_type(std::string_view name) {
  return find_type([&](const TensorType& type) { return is_same_word(type.name, name); });
}

std::optional<Bytes> tensor_bytes(const TensorType& type, std::uint64_t row_elements, std::uint64_t rows) {
  constexpr auto limit = std::numeric_limits<Bytes>::max();
  if (row_elements % type.block_elements != 0) return std::nullopt;
  const auto blocks = row_elements / type.block_elements;
  if (blocks != 0 && rows > limit / blocks) return std::nullopt;
  if (blocks * rows > limit / type.block_bytes) return std::nullopt;
  return blocks * rows * type.block_bytes;
}

}  // namespace dualgpuopt::memory
