#include "sources/host_memory.h"

#include <algorithm>
#include <charconv>

#include "sources/text_file.h"

namespace dualgpuopt::memory {
namespace {

constexpr std::string_view kKey = "MemAvailable:";
constexpr std::string_view kUnit = " kB";
constexpr std::size_t kLargestFile = 1U << 16;

tl::unexpected<Error> not_there() {
  return fail(ErrorCode::ParseFailed, "expected a line like \"MemAvailable: 1234 kB\"; kernels before 3.14 have none");
}

}  // namespace

Result<Bytes> parse_available_memory(std::string_view meminfo) {
  const auto place = meminfo.find(kKey);
  if (place == std::string_view::npos || (place > 0 && meminfo[place - 1] != '\n')) return not_there();
  auto rest = meminfo.substr(place + kKey.size());
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  Bytes kibibytes = 0;
  const auto [stop, problem] = std::from_chars(rest.data(), rest.data() + rest.size(), kibibytes);
  const auto unit = rest.substr(static_cast<std::size_t>(stop - rest.data()), kUnit.size());
  if (problem != std::errc{} || unit != kUnit || kibibytes > (Bytes{1} << 53)) return not_there();
  return kibibytes * 1024;
}

Result<Bytes> read_available_memory(const std::filesystem::path& root) {
  const auto file = root / "proc/meminfo";
  const auto text = read_text_file(file, kLargestFile);
  if (!text) return fail(Error(text.error()).with_context(file.string()));
  auto bytes = parse_available_memory(*text);
  if (!bytes) return fail(std::move(bytes.error()).with_context(file.string()));
  return bytes;
}

}  // namespace dualgpuopt::memory
