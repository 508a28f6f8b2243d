#include "cli/output.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "core/format.h"

namespace dualgpuopt::memory::cli {

Result<Output> Output::create(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (descriptor >= 0) return Output(descriptor, path);
  if (errno == EEXIST) {
    return fail(ErrorCode::InvalidArgument,
                format_text("{} exists already; recordings are never overwritten, so name another file", path));
  }
  return fail(ErrorCode::Io, format_text("cannot create {}: {}", path, std::strerror(errno)));
}

Output::Output(Output&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, 1)), name_(std::move(other.name_)) {}

Output::~Output() {
  if (descriptor_ != 1) ::close(descriptor_);
}

Result<void> Output::write(std::string_view text) {
  const auto start = descriptor_ == 1 ? -1 : ::lseek(descriptor_, 0, SEEK_CUR);
  while (!text.empty()) {
    const auto written = ::write(descriptor_, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      const int problem = errno;
      if (start >= 0 && ::ftruncate(descriptor_, start) == 0) ::lseek(descriptor_, start, SEEK_SET);
      return fail(ErrorCode::Io, format_text("cannot write to {}: {}", name_, std::strerror(problem)));
    }
  }
  return {};
}

Result<void> Output::line(std::string text) {
  text += '\n';
  return write(text);
}

bool Output::is_terminal() const { return ::isatty(descriptor_) == 1; }

}  // namespace dualgpuopt::memory::cli
