#include "profiles/replace_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "core/format.h"

namespace dualgpuopt::memory {
namespace {

constexpr int kAttempts = 100;
constexpr mode_t kOpenToAll = 0666;  // less the process's mask

tl::unexpected<Error> system_failure(int number) {
  const auto code = number == ENOENT || number == ENOTDIR                    ? ErrorCode::NotFound
                    : number == EACCES || number == EPERM || number == EROFS ? ErrorCode::PermissionDenied
                                                                             : ErrorCode::Io;
  return fail(code, format_text("cannot be written: {}", std::strerror(number)));
}

/// An open file; close() tells what closing says, the destructor does not.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }

  [[nodiscard]] int number() const { return number_; }
  [[nodiscard]] Result<void> close() {
    const int number = std::exchange(number_, -1);
    if (::close(number) != 0) return system_failure(errno);
    return {};
  }

 private:
  int number_;
};

Result<void> write_all(const Descriptor& output, std::string_view contents) {
  while (!contents.empty()) {
    const auto written = ::write(output.number(), contents.data(), contents.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return system_failure(errno);
    contents.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<void> write_directly(const std::filesystem::path& file, std::string_view contents) {
  Descriptor output(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  if (output.number() < 0) return system_failure(errno);
  if (auto written = write_all(output, contents); !written) return written;
  return output.close();
}

/// A new file beside `file`, and its name.
struct Beside {
  std::string name;
  Descriptor output;
};

Beside create_beside(const std::filesystem::path& file) {
  std::string name;
  int number = -1;
  for (int attempt = 0; number < 0 && attempt < kAttempts; ++attempt) {
    name = format_text("{}.{}-{}.new", file.string(), ::getpid(), attempt);
    number = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kOpenToAll);
    if (number < 0 && errno != EEXIST) break;
  }
  return {std::move(name), Descriptor(number)};
}

Result<void> write_and_flush(Descriptor& output, std::string_view contents, const std::optional<mode_t>& mode) {
  if (auto written = write_all(output, contents); !written) return written;
  if (mode && ::fchmod(output.number(), *mode) != 0) return system_failure(errno);
  if (::fsync(output.number()) != 0) return system_failure(errno);
  return output.close();
}

std::optional<mode_t> permissions(const std::filesystem::path& file) {
  struct stat old {};
  if (::stat(file.c_str(), &old) != 0) return std::nullopt;
  return old.st_mode & 07777;
}

/// Makes the new name last; where a folder cannot be flushed, the file system sees to it in its own time.
void flush_folder(const std::filesystem::path& folder) {
  const Descriptor open(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (open.number() >= 0) (void)::fsync(open.number());
}

Result<void> write_beside_and_rename(const std::filesystem::path& file, std::string_view contents) {
  auto beside = create_beside(file);
  if (beside.output.number() < 0) return system_failure(errno);
  auto done = write_and_flush(beside.output, contents, permissions(file));
  if (done && ::rename(beside.name.c_str(), file.c_str()) != 0) done = system_failure(errno);
  if (!done) {
    ::unlink(beside.name.c_str());
    return done;
  }
  flush_folder(file.parent_path());
  return {};
}

}  // namespace

Result<void> replace_file(const std::filesystem::path& file, std::string_view contents) {
  std::error_code ignored;
  const auto target = std::filesystem::weakly_canonical(file, ignored);
  const auto& place = target.empty() ? file : target;
  const auto kind = std::filesystem::status(place, ignored).type();
  const bool is_something_else = kind != std::filesystem::file_type::regular &&
                                 kind != std::filesystem::file_type::not_found &&
                                 kind != std::filesystem::file_type::none;
  return is_something_else ? write_directly(place, contents) : write_beside_and_rename(place, contents);
}

}  // namespace dualgpuopt::memory
