#include "dualgpuopt/memory/processes/host_memory.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>

#include "core/format.h"
#include "processes/proc_text.h"

namespace dualgpuopt::memory {
namespace {

using std::filesystem::path;

constexpr std::string_view kKey = "MemAvailable:";
constexpr std::string_view kUnit = " kB";
constexpr std::size_t kLargestFile = 1U << 16;

tl::unexpected<Error> not_there() {
  return fail(ErrorCode::ParseFailed, "expected a line like \"MemAvailable: 1234 kB\"; kernels before 3.14 have none");
}

tl::unexpected<Error> system_error(int number, const path& file) {
  const auto code = number == ENOENT || number == ENODEV  ? ErrorCode::NotFound
                    : number == EACCES || number == EPERM ? ErrorCode::PermissionDenied
                                                          : ErrorCode::Io;
  return fail(Error(code, format_text("cannot be read: {}", std::strerror(number))).with_context(file.string()));
}

/// The kernel's files are small; one that is not is cut off.
Result<std::string> read_text(const path& file) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> input(std::fopen(file.c_str(), "rbe"), std::fclose);
  if (!input) return system_error(errno, file);
  std::string text(kLargestFile, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), input.get()));
  if (std::ferror(input.get()) != 0) return system_error(errno, file);
  return text;
}

std::string_view first_line(std::string_view text) { return text.substr(0, text.find('\n')); }

Result<Bytes> parse_amount(std::string_view digits, const path& file) {
  Bytes amount = 0;
  const auto [stop, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), amount);
  if (problem == std::errc{} && stop == digits.data() + digits.size()) return amount;
  return fail(Error(ErrorCode::ParseFailed, "expected a number of bytes, found " + in_quotes(digits))
                  .with_context(file.string()));
}

/// Empty where there is no such file, or where it says that there is no limit.
Result<std::optional<Bytes>> read_amount(const path& file) {
  const auto text = read_text(file);
  if (!text && text.error().code() == ErrorCode::NotFound) return std::nullopt;
  if (!text) return fail(text.error());
  const auto line = first_line(*text);
  if (line == "max") return std::nullopt;
  return parse_amount(line, file).map([](Bytes amount) { return std::optional(amount); });
}

/// A line "inactive_file 4096" of memory.stat; 0 where there is none.
Result<Bytes> read_droppable(const path& file) {
  constexpr std::string_view kName = "inactive_file ";
  const auto text = read_text(file);
  if (!text && text.error().code() == ErrorCode::NotFound) return 0;
  if (!text) return fail(text.error());
  const auto place = text->starts_with(kName) ? 0 : text->find(format_text("\n{}", kName));
  if (place == std::string::npos) return 0;
  return parse_amount(first_line(std::string_view(*text).substr(text->find(kName, place) + kName.size())), file);
}

/// Empty where that cgroup has no limit.
Result<std::optional<Bytes>> read_left(const path& cgroup) {
  auto limit = read_amount(cgroup / "memory.max");
  if (!limit || !*limit) return limit;
  auto current = read_amount(cgroup / "memory.current");
  if (!current) return current;
  const auto droppable = read_droppable(cgroup / "memory.stat");
  if (!droppable) return fail(droppable.error());
  const auto held = current->value_or(0) - std::min(*droppable, current->value_or(0));
  return **limit - std::min(held, **limit);
}

/// The path of this process's cgroup in the unified hierarchy; empty where there is none.
Result<std::string> read_own_cgroup(const path& root) {
  const auto file = root / "proc/self/cgroup";
  const auto text = read_text(file);
  if (!text && text.error().code() == ErrorCode::NotFound) return std::string();
  if (!text) return fail(text.error());
  auto cgroup = proc::parse_cgroup(*text);
  if (!cgroup) return fail(std::move(cgroup.error()).with_context(file.string()));
  return cgroup;
}

/// Narrows it by the cgroup's own limit and by those above it.
Result<HostRoom> narrowed(HostRoom room, const path& root, path cgroup) {
  for (;; cgroup = cgroup.parent_path()) {
    const auto left = read_left(root / "sys/fs/cgroup" / cgroup.relative_path());
    if (!left) return fail(left.error());
    if (*left && **left < room.bytes) room = {**left, format_text("the limit of the cgroup {}", cgroup.string())};
    if (!cgroup.has_relative_path()) return room;
  }
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
  const auto text = read_text(file);
  if (!text) return fail(text.error());
  auto bytes = parse_available_memory(*text);
  if (!bytes) return fail(std::move(bytes.error()).with_context(file.string()));
  return bytes;
}

Result<HostRoom> read_host_room(const std::filesystem::path& root) {
  const auto available = read_available_memory(root);
  if (!available) return fail(available.error());
  const auto cgroup = read_own_cgroup(root);
  if (!cgroup) return fail(cgroup.error());
  return narrowed({*available, "the host's available memory"}, root, cgroup->empty() ? "/" : *cgroup);
}

}  // namespace dualgpuopt::memory
