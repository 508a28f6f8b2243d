#include "processes/proc_directory.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "core/format.h"

namespace dualgpuopt::memory::proc {
namespace {

/// The kernel says ENOENT for a process that is gone when a file is opened, and ESRCH when it is read.
tl::unexpected<Error> failure(int problem, pid_t pid, const std::string& file) {
  if (problem == ENOENT || problem == ESRCH) {
    return fail(ErrorCode::NotFound, format_text("there is no process with PID {} ({} is not there)", pid, file));
  }
  const auto code = problem == EACCES || problem == EPERM ? ErrorCode::PermissionDenied : ErrorCode::Io;
  return fail(code, format_text("cannot read {}: {}", file, std::generic_category().message(problem)));
}

/// Reads up to `limit` bytes, or gives errno. Files in /proc do not tell their size.
tl::expected<std::string, int> read_all(int descriptor, std::size_t limit) {
  std::string text;
  std::array<char, 4096> chunk{};
  while (text.size() < limit) {
    const auto count = ::read(descriptor, chunk.data(), std::min(chunk.size(), limit - text.size()));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return tl::unexpected(errno);
    if (count == 0) break;
    text.append(chunk.data(), static_cast<std::size_t>(count));
  }
  return text;
}

}  // namespace

Result<Directory> Directory::open(const std::filesystem::path& proc, pid_t pid) {
  auto path = proc / std::to_string(pid);
  const int descriptor = ::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return failure(errno, pid, path.string());
  return Directory(std::move(path), pid, descriptor);
}

Directory::Directory(Directory&& other) noexcept
    : path_(std::move(other.path_)), pid_(other.pid_), descriptor_(std::exchange(other.descriptor_, -1)) {}

Directory::~Directory() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<std::string> Directory::read(const char* file) const {
  const int descriptor = ::openat(descriptor_, file, O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return failure(errno, pid_, name_of(file));
  auto text = read_all(descriptor, kLongestText);
  ::close(descriptor);
  if (!text) return failure(text.error(), pid_, name_of(file));
  return std::move(*text);
}

std::optional<std::string> Directory::read_link(const char* link) const {
  std::array<char, 256> target{};
  const auto length = ::readlinkat(descriptor_, link, target.data(), target.size());
  if (length < 0) return std::nullopt;
  return std::string(target.data(), static_cast<std::size_t>(length));
}

}  // namespace dualgpuopt::memory::proc
