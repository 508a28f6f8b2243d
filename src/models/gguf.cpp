#include "dualgpuopt/memory/models/gguf.h"

#include <algorithm>
#include <limits>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "core/format.h"
#include "models/gguf_parser.h"
#include "models/gguf_parts.h"
#include "models/saturated.h"

namespace dualgpuopt::memory {
namespace {

constexpr std::uint32_t kMagic = 0x46554747;  // "GGUF"
constexpr std::uint64_t kLongestName = 1U << 10;
constexpr std::uint32_t kMostDimensions = 4;
constexpr int kDeepestList = 2;
constexpr std::uint64_t kMostTexts = 1U << 24;  // a large vocabulary has 2^18

/// Kinds of metadata values, docs/gguf.md: gguf_metadata_value_type.
enum class Kind : std::uint32_t { U8, I8, U16, I16, U32, I32, F32, Bool, Text, List, U64, I64, F64 };

std::optional<std::uint64_t> size_of(Kind kind) {
  switch (kind) {
    case Kind::U8:
    case Kind::I8:
    case Kind::Bool: return 1;
    case Kind::U16:
    case Kind::I16: return 2;
    case Kind::U32:
    case Kind::I32:
    case Kind::F32: return 4;
    case Kind::U64:
    case Kind::I64:
    case Kind::F64: return 8;
    default: return std::nullopt;
  }
}

class Parser {
 public:
  Parser(ByteReader& bytes, const GgufLimits& limits) : bytes_(bytes), limits_(limits) {}

  GgufHeader header();

 private:
  void pair(GgufHeader& header);
  [[nodiscard]] GgufValue value(Kind kind);
  [[nodiscard]] double number(Kind kind);
  [[nodiscard]] GgufList list(int depth);
  void skip_elements(Kind kind, std::uint64_t length, int depth);
  [[nodiscard]] GgufTensor tensor();
  [[nodiscard]] Bytes missing_data(const GgufHeader& header) const;
  [[nodiscard]] std::uint64_t count(std::string_view what, std::uint64_t most);
  [[nodiscard]] std::string name(std::string_view what) { return bytes_.text(length(), kLongestName, what); }
  [[nodiscard]] std::uint64_t length() { return bytes_.number<std::uint64_t>("a length"); }
  [[nodiscard]] Kind kind() { return static_cast<Kind>(bytes_.number<std::uint32_t>("the kind of a value")); }

  ByteReader& bytes_;
  const GgufLimits& limits_;
  Bytes data_end_ = 0;  ///< Of the tensor that lies last, from where the weights begin.
};

const std::string* name_told_twice(const std::vector<GgufTensor>& tensors) {
  std::unordered_set<std::string_view> names;
  for (const auto& tensor : tensors) {
    if (!names.insert(tensor.name).second) return &tensor.name;
  }
  return nullptr;
}

GgufHeader Parser::header() {
  GgufHeader header;
  if (bytes_.number<std::uint32_t>("the magic") != kMagic)
    bytes_.refuse("this is not a GGUF file: it does not begin with GGUF");
  header.version = bytes_.number<std::uint32_t>("the version");
  if (header.version != 2 && header.version != 3) {
    bytes_.refuse(format_text("GGUF version {}; 2 and 3 can be read", header.version));
  }
  const auto tensors = count("tensors", limits_.tensors);
  const auto keys = count("keys", limits_.keys);
  for (std::uint64_t i = 0; i < keys && !bytes_.failed(); ++i) pair(header);
  for (std::uint64_t i = 0; i < tensors && !bytes_.failed(); ++i) header.tensors.push_back(tensor());
  if (const auto* twice = name_told_twice(header.tensors))
    bytes_.refuse(format_text("there are two tensors {}", *twice));
  header.missing = missing_data(header);
  return header;
}

/// Weights begin where the table ends, rounded up to the alignment (docs/gguf.md, "general.alignment").
Bytes Parser::missing_data(const GgufHeader& header) const {
  constexpr double usual_alignment = 32;
  constexpr double largest_alignment = 1 << 20;
  const auto told = header.number("general.alignment").value_or(usual_alignment);
  const bool makes_sense = told >= 1 && told <= largest_alignment;
  const auto alignment = static_cast<std::uint64_t>(makes_sense ? told : usual_alignment);
  const auto padding = (alignment - bytes_.position() % alignment) % alignment;
  const auto wanted = padding + data_end_;
  return data_end_ > 0 && wanted > bytes_.left() ? wanted - bytes_.left() : 0;
}

std::uint64_t Parser::count(std::string_view what, std::uint64_t most) {
  const auto count = bytes_.number<std::uint64_t>(what);
  if (count > most) bytes_.refuse(format_text("{} {}; at most {} are expected", count, what, most));
  return count;
}

void Parser::pair(GgufHeader& header) {
  auto key = name("a key");
  auto read = value(kind());
  if (!bytes_.failed()) header.metadata.insert_or_assign(std::move(key), std::move(read));
}

GgufValue Parser::value(Kind kind) {
  if (kind == Kind::Text) return bytes_.text(length(), limits_.text, "a text");
  if (kind == Kind::List) return list(1);
  return number(kind);
}

double Parser::number(Kind kind) {
  constexpr auto what = "a number";
  switch (kind) {
    case Kind::U8: return bytes_.number<std::uint8_t>(what);
    case Kind::I8: return bytes_.number<std::int8_t>(what);
    case Kind::U16: return bytes_.number<std::uint16_t>(what);
    case Kind::I16: return bytes_.number<std::int16_t>(what);
    case Kind::U32: return bytes_.number<std::uint32_t>(what);
    case Kind::I32: return bytes_.number<std::int32_t>(what);
    case Kind::F32: return bytes_.number<float>(what);
    case Kind::Bool: return bytes_.number<std::uint8_t>(what) == 0 ? 0 : 1;
    case Kind::U64: return static_cast<double>(bytes_.number<std::uint64_t>(what));
    case Kind::I64: return static_cast<double>(bytes_.number<std::int64_t>(what));
    case Kind::F64: return bytes_.number<double>(what);
    default: break;
  }
  bytes_.refuse(format_text("a value of kind {}; 0 to 12 are known", static_cast<std::uint32_t>(kind)));
  return 0;
}

GgufList Parser::list(int depth) {
  const auto element = kind();
  GgufList list;
  list.length = length();
  if (!size_of(element) || list.length > GgufList::kMostListed) {
    skip_elements(element, list.length, depth);
    return list;
  }
  for (std::uint64_t i = 0; i < list.length && !bytes_.failed(); ++i) list.numbers.push_back(number(element));
  return list;
}

void Parser::skip_elements(Kind kind, std::uint64_t length, int depth) {
  if (const auto size = size_of(kind)) {
    if (length > bytes_.left() / *size)
      return bytes_.refuse(format_text("a list of {} numbers: the file is shorter", length));
    return bytes_.skip(length * *size, "a list of numbers");
  }
  if (kind != Kind::Text && kind != Kind::List) return bytes_.refuse("a list of a kind that is not known");
  if (kind == Kind::List && depth >= kDeepestList) return bytes_.refuse("lists within lists within lists");
  if (length > kMostTexts) {
    return bytes_.refuse(format_text("a list of {} texts or lists; at most {} are expected", length, kMostTexts));
  }
  for (std::uint64_t i = 0; i < length && !bytes_.failed(); ++i) {
    if (kind == Kind::Text) {
      bytes_.skip(this->length(), "a text");
    } else {
      (void)list(depth + 1);
    }
  }
}

GgufTensor Parser::tensor() {
  GgufTensor tensor;
  tensor.name = name("a tensor's name");
  const auto dimensions = bytes_.number<std::uint32_t>("a tensor's dimensions");
  if (dimensions > kMostDimensions)
    bytes_.refuse(format_text("tensor {} has {} dimensions; at most 4 are expected", tensor.name, dimensions));
  tensor.shape.fill(1);
  for (std::uint32_t i = 0; i < dimensions && !bytes_.failed(); ++i)
    tensor.shape[i] = bytes_.number<std::uint64_t>("a dimension");
  tensor.type = bytes_.number<std::uint32_t>("a tensor's type");
  const auto offset = bytes_.number<std::uint64_t>("a tensor's offset");
  if (bytes_.failed()) return tensor;
  const auto type = tensor_type(tensor.type);
  if (!type) {
    bytes_.refuse(format_text("tensor {} is of type {}, which is not known", tensor.name, tensor.type));
    return tensor;
  }
  std::uint64_t rows = 1;
  for (std::size_t i = 1; i < tensor.shape.size(); ++i) {
    const auto most = std::numeric_limits<std::uint64_t>::max() / std::max<std::uint64_t>(rows, 1);
    rows = tensor.shape[i] > most ? std::numeric_limits<std::uint64_t>::max() : rows * tensor.shape[i];
  }
  const auto size = tensor_bytes(*type, tensor.shape[0], rows);
  if (!size) bytes_.refuse(format_text("tensor {} has an impossible shape for {}", tensor.name, type->name));
  tensor.bytes = size.value_or(0);
  data_end_ = std::max(data_end_, saturated(static_cast<double>(offset) + static_cast<double>(tensor.bytes)));
  return tensor;
}

template <typename Wanted>
const Wanted* find(const GgufHeader& header, std::string_view key) {
  const auto found = header.metadata.find(key);
  return found == header.metadata.end() ? nullptr : std::get_if<Wanted>(&found->second);
}

}  // namespace

std::optional<double> GgufHeader::number(std::string_view key) const {
  const auto* value = find<double>(*this, key);
  return value == nullptr ? std::nullopt : std::optional(*value);
}

std::optional<std::string> GgufHeader::text(std::string_view key) const {
  const auto* value = find<std::string>(*this, key);
  return value == nullptr ? std::nullopt : std::optional(*value);
}

const GgufList* GgufHeader::list(std::string_view key) const { return find<GgufList>(*this, key); }

Result<GgufHeader> parse_gguf(ByteReader& bytes, const GgufLimits& limits) {
  auto header = Parser(bytes, limits).header();
  if (bytes.failed()) return fail(ErrorCode::ParseFailed, bytes.failure());
  return header;
}

Result<GgufHeader> read_gguf(const std::filesystem::path& file, const GgufLimits& limits) {
  auto bytes = ByteReader::open(file);
  auto header = bytes ? parse_gguf(*bytes, limits) : fail(bytes.error());
  if (!header) return fail(std::move(header.error()).with_context(file.string()));
  return header;
}

Result<GgufHeader> read_gguf_model(const std::filesystem::path& file, const GgufLimits& limits) {
  GgufHeader model;
  const auto parts = gguf_parts(file);
  for (const auto& part : parts) {
    auto header = read_gguf(part, limits);
    if (!header) return header;
    if (model.metadata.empty()) std::swap(model.metadata, header->metadata);
    model.version = header->version;
    model.missing += header->missing;
    std::move(header->tensors.begin(), header->tensors.end(), std::back_inserter(model.tensors));
  }
  const auto wanted = model.number("split.tensors.count");
  if (wanted && parts.size() > 1 && *wanted != static_cast<double>(model.tensors.size())) {
    return fail(ErrorCode::ParseFailed, format_text("{}: its parts hold {} tensors, and {} are announced",
                                                    file.string(), model.tensors.size(), *wanted));
  }
  return model;
}

}  // namespace dualgpuopt::memory
