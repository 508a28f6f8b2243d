#include "dualgpuopt/memory/processes/device_files.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "core/format.h"
#include "processes/proc_directory.h"

namespace dualgpuopt::memory {
namespace {

using Files = std::set<std::string>;

tl::unexpected<Error> cannot_look(const std::filesystem::path& where, const std::error_code& problem) {
  const bool is_denied = problem == std::errc::permission_denied || problem == std::errc::operation_not_permitted;
  return fail(is_denied ? ErrorCode::PermissionDenied : ErrorCode::Io,
              format_text("cannot look into {}: {}", where.string(), problem.message()));
}

/// What the process has open. Files that are closed meanwhile are left out.
Result<Files> open_files(const std::filesystem::path& folder) {
  Files files;
  std::error_code problem;
  const std::filesystem::directory_iterator end;
  for (std::filesystem::directory_iterator each(folder, problem); !problem && each != end; each.increment(problem)) {
    std::error_code closed;
    const auto target = std::filesystem::read_symlink(each->path(), closed).string();
    if (!closed && is_gpu_device_file(target)) files.insert(target);
  }
  if (problem) return cannot_look(folder, problem);
  return files;
}

/// The path at the end of a line of proc_pid_maps(5); empty for memory without a file.
std::string_view mapped_path(std::string_view line) {
  const auto path = line.find('/');
  return path == std::string_view::npos ? std::string_view() : line.substr(path);
}

Files mapped_files(std::string_view maps) {
  Files files;
  while (!maps.empty()) {
    const auto end = std::min(maps.find('\n'), maps.size());
    const auto path = mapped_path(maps.substr(0, end));
    if (is_gpu_device_file(path)) files.emplace(path);
    maps.remove_prefix(std::min(end + 1, maps.size()));
  }
  return files;
}

}  // namespace

bool is_gpu_device_file(std::string_view path) {
  constexpr std::array<std::string_view, 3> beginnings{"/dev/nvidia", "/dev/dri/renderD", "/dev/dri/card"};
  if (path == "/dev/kfd" || path == "/dev/dxg") return true;
  return std::any_of(beginnings.begin(), beginnings.end(), [&](auto start) { return path.starts_with(start); });
}

Result<std::vector<std::string>> gpu_device_files(pid_t pid, const std::filesystem::path& root) {
  const auto directory = proc::Directory::open(root / "proc", pid);
  if (!directory) return fail(directory.error());
  auto files = open_files(directory->name_of("fd"));
  if (!files) return fail(std::move(files.error()));
  if (files->empty()) {
    const auto maps = directory->read("maps");
    if (!maps) return fail(maps.error());
    *files = mapped_files(*maps);
  }
  return std::vector<std::string>(files->begin(), files->end());
}

}  // namespace dualgpuopt::memory
