#include "sources/text_file.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "core/format.h"
#include "dualgpuopt/memory/core/units.h"

namespace dualgpuopt::memory {
namespace {

Error system_error(int number) {
  const auto code = number == ENOENT                      ? ErrorCode::NotFound
                    : number == EACCES || number == EPERM ? ErrorCode::PermissionDenied
                                                          : ErrorCode::Io;
  return {code, format_text("cannot be read: {}", std::strerror(number))};
}

}  // namespace

Result<std::string> read_text_file(const std::filesystem::path& file, std::size_t most) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> input(std::fopen(file.c_str(), "rbe"), std::fclose);
  if (!input) return fail(system_error(errno));
  std::string text;
  std::array<char, 1 << 16> buffer{};
  while (const auto count = std::fread(buffer.data(), 1, buffer.size(), input.get())) {
    text.append(buffer.data(), count);
    if (text.size() > most) {
      return fail(ErrorCode::Io, format_text("is larger than {}, the most that is read", format_bytes(most)));
    }
  }
  if (std::ferror(input.get()) != 0) return fail(system_error(errno));
  return text;
}

}  // namespace dualgpuopt::memory
