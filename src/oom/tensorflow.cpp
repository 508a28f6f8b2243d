// TensorFlow: its allocators (bfc_allocator.cc, which jaxlib and XLA carry along) and the errors of its operations.
#include <algorithm>
#include <array>

#include "oom/oom_family.h"

namespace dualgpuopt::memory {
namespace {

/// The allocator's account of itself follows its complaint after hundreds of lines of chunks.
constexpr std::size_t kAccountLines = 5000;
constexpr std::size_t kMostDimensions = 16;

constexpr std::string_view kRanOut = "ran out of memory trying to allocate";
constexpr std::string_view kTensor = "oom when allocating tensor with";
constexpr std::string_view kTensorOf = "oom when allocating tensor of";  // early ones

struct ElementSize {
  std::string_view name;
  Bytes bytes;
};

constexpr std::array kElementSizes{
    ElementSize{"float", 4},     ElementSize{"double", 8},      ElementSize{"half", 2},    ElementSize{"bfloat16", 2},
    ElementSize{"float32", 4},   ElementSize{"float64", 8},     ElementSize{"float16", 2}, ElementSize{"int8", 1},
    ElementSize{"uint8", 1},     ElementSize{"int16", 2},       ElementSize{"uint16", 2},  ElementSize{"int32", 4},
    ElementSize{"uint32", 4},    ElementSize{"int64", 8},       ElementSize{"uint64", 8},  ElementSize{"bool", 1},
    ElementSize{"complex64", 8}, ElementSize{"complex128", 16},
};

bool is_driver_line(std::string_view line) {
  return contains(line, "failed to alloc") && contains_any(line, {"from device:", "bytes on host"});
}

bool starts(std::string_view line) {
  return contains_any(line, {kTensor, kTensorOf, kRanOut}) || is_driver_line(line) ||
         contains_any(line, {"could not allocate pinned host memory", "failed to allocate memory [op:",
                             "dst tensor is not initialized", "dml allocator out of memory"});
}

/// jaxlib carries the same allocator; the paths that its lines begin with tell.
bool is_jax(std::string_view text) {
  return contains_any(text, {"external/org_tensorflow", "external/xla", "jaxlib", "external/tsl"});
}

bool continues(std::string_view text, std::string_view line) {
  if (!contains(text, kRanOut) || contains(text, "not a failure")) return false;
  if (contains_any(line, {kTensor, kTensorOf})) return !contains_any(text, {kTensor, kTensorOf});
  if (is_jax(text) && contains(line, "resource_exhausted: out of memory")) return !contains(text, "resource_exhausted");
  const bool is_account = contains(line, "bfc_allocator") || line.starts_with("limit: ") || line.starts_with("inuse: ");
  return is_account && contains_any(line, {"limit: ", "inuse: ", "total_region_allocated_bytes_: ", "in-use chunks: "});
}

/// The numbers of "shape[500,17,17,4032]".
std::vector<std::uint64_t> shape_in(std::string_view text) {
  const auto shape_at = text.find("shape");
  const auto start = text.find('[', shape_at);
  if (start == std::string_view::npos || start > shape_at + 6) return {};
  auto rest = text.substr(start + 1);
  rest = rest.substr(0, rest.find(']'));
  std::vector<std::uint64_t> shape;
  while (!rest.empty() && shape.size() < kMostDimensions) {
    const auto number = number_after(std::string(":").append(rest.substr(0, rest.find(','))), ":");
    if (!number) return {};
    shape.push_back(*number);
    rest.remove_prefix(
        std::min(rest.size(), rest.find(',') == std::string_view::npos ? rest.size() : rest.find(',') + 1));
  }
  return shape;
}

/// The type of "… and type float on /job:…", where it is one.
std::string dtype_in(std::string_view text) {
  const auto start = text.find("and type ");
  if (start == std::string_view::npos) return "";
  const auto rest = text.substr(start + 9);
  const auto name = rest.substr(0, rest.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789"));
  const auto* known =
      std::find_if(kElementSizes.begin(), kElementSizes.end(), [&](const auto& e) { return e.name == name; });
  return known == kElementSizes.end() ? "" : std::string(name);
}

/// The product of the dimensions and the size of an element, where it fits.
std::optional<Bytes> size_of_tensor(const std::vector<std::uint64_t>& shape, std::string_view dtype) {
  const auto* element =
      std::find_if(kElementSizes.begin(), kElementSizes.end(), [&](const auto& e) { return e.name == dtype; });
  if (shape.empty() || element == kElementSizes.end()) return std::nullopt;
  Bytes size = element->bytes;
  for (const auto dimension : shape) {
    if (__builtin_mul_overflow(size, dimension, &size) || size >= Bytes{1} << 63) return std::nullopt;
  }
  return size;
}

void read_tensor(std::string_view text, OomError& error) {
  const auto at = std::min(text.find(kTensor), text.find(kTensorOf));
  if (at == std::string_view::npos) return;
  error.shape = shape_in(text.substr(at));
  error.dtype = dtype_in(text.substr(at));
  error.requested = size_of_tensor(error.shape, error.dtype);
  if (error.requested) error.derived.emplace_back("requested_bytes");
}

void read_requested(std::string_view text, OomError& error) {
  put(error, &OomError::requested, amount_after(text, "(rounded to "));
  put(error, &OomError::requested, exact_amount_after(text, kRanOut));
  put(error, &OomError::requested, exact_amount_after(text, "failed to allocate "));
  put(error, &OomError::requested, exact_amount_after(text, "failed to alloc "));
  put(error, &OomError::requested, exact_amount_after(text, "memory of size:"));
}

void read_account(std::string_view text, OomError& error) {
  put(error, &OomError::limit, amount_after(text, "memory_limit_: "));
  put(error, &OomError::limit, amount_after(text, " limit: "));
  put(error, &OomError::allocated, amount_after(text, "inuse: "));
  put(error, &OomError::allocated, amount_after(text, "in-use chunks: "));
  put(error, &OomError::reserved, amount_after(text, "total_region_allocated_bytes_: "));
}

OomBackend backend_of(std::string_view text) {
  if (contains_any(text, {"by allocator cpu", "by allocator mklcpu", "device:cpu:", "on host", "host memory"}))
    return OomBackend::Host;
  if (contains_any(text, {"rocm", "hip_error", "hiperror"})) return OomBackend::Hip;
  return contains_any(text, {"gpu", "cuda"}) ? OomBackend::Cuda : OomBackend::Unknown;
}

std::optional<int> device_of(std::string_view text) {
  return first_device(text, {"device:gpu:", "/gpu:", "(gpu_", "allocator gpu_", "device ordinal ", "gpu:"});
}

void read(std::string_view text, OomError& error) {
  error.source = is_jax(text) ? OomSource::Jax : OomSource::TensorFlow;
  error.backend = backend_of(text);
  error.fatal = !contains(text, "not a failure");
  error.gpu = device_of(text);
  read_tensor(text, error);
  read_requested(text, error);
  read_account(text, error);
}

}  // namespace

OomFamily tensorflow_family() { return {starts, continues, read, kAccountLines}; }

}  // namespace dualgpuopt::memory
