// Trees of files made in a temporary directory from one nested expression, and processes in them:
//
//   const TemporaryTree tree{directory("proc", {process({.pid = 42, .name = "python"})})};
//   ProcessTable table(tree.root());
#pragma once

#include <fmt/ranges.h>
#include <sys/types.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "core/format.h"

namespace dualgpuopt::memory::fixture {

/// A file, a link or a directory to be made.
struct Entry {
  std::string name;
  std::function<void(const std::filesystem::path&)> make;
};

inline Entry file(std::string name, std::string text) {
  return {std::move(name), [text = std::move(text)](const auto& path) {
            std::ofstream out(path, std::ios::binary);
            out << text;
            if (!out.flush()) throw std::runtime_error("cannot write " + path.string());
          }};
}

/// A symbolic link; nothing needs to be where it points.
inline Entry link(std::string name, std::string target) {
  return {std::move(name),
          [target = std::move(target)](const auto& path) { std::filesystem::create_symlink(target, path); }};
}

inline Entry directory(std::string name, std::vector<Entry> entries = {}) {
  return {std::move(name), [entries = std::move(entries)](const auto& path) {
            std::filesystem::create_directory(path);
            for (const auto& entry : entries) entry.make(path / entry.name);
          }};
}

/// Makes the entries in a new directory, which goes with the object.
class TemporaryTree {
 public:
  TemporaryTree(std::initializer_list<Entry> entries) : root_(make_directory()) {
    for (const auto& entry : entries) add(entry);
  }
  TemporaryTree(const TemporaryTree&) = delete;
  TemporaryTree& operator=(const TemporaryTree&) = delete;
  ~TemporaryTree() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }

  void add(const Entry& entry) const { entry.make(root_ / entry.name); }
  [[nodiscard]] const std::filesystem::path& root() const { return root_; }

 private:
  static std::filesystem::path make_directory() {
    auto name = (std::filesystem::temp_directory_path() / "dualgpuopt-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make " + name);
    return name;
  }

  std::filesystem::path root_;
};

/// What a process's files are to say.
struct Process {
  pid_t pid = 1;
  pid_t parent = 0;
  std::string name = "python";
  std::uint64_t start_ticks = 1000;
  char state = 'S';
  pid_t group = 1;
  uid_t owner = 0;
  std::string arguments = {};  ///< With their NULs, as cmdline has them.
  std::string cgroup = "/user.slice";
  std::vector<pid_t> namespaced_pids = {};  ///< Empty: the PID alone.
  unsigned flags = 0x00400000;
  int nice = 0;
};

/// `stat` as the kernel writes it: 52 fields, of which those that we do not read hold their own numbers.
inline std::string stat_text(const Process& process) {
  auto text = format_text("{} ({}) {} {} {}", process.pid, process.name, process.state, process.parent, process.group);
  for (int field = 6; field <= 52; ++field) {
    text += " " + (field == 9    ? std::to_string(process.flags)
                   : field == 19 ? std::to_string(process.nice)
                   : field == 22 ? std::to_string(process.start_ticks)
                                 : std::to_string(field));
  }
  return text + "\n";
}

inline std::string status_text(const Process& process) {
  const auto pids = process.namespaced_pids.empty() ? std::vector{process.pid} : process.namespaced_pids;
  return format_text(
      "Name:\tfixture\nUmask:\t0022\nUid:\t4000\t{}\t4002\t4003\nGid:\t0\t0\t0\t0\nNSpid:\t{}\nThreads:\t1\n",
      process.owner, fmt::join(pids, "\t"));
}

/// The link that tells a process its own PID namespace; by default the machine's first one.
inline Entry self(std::uint64_t pid_namespace = 4026531836) {
  return directory("self", {directory("ns", {link("pid", format_text("pid:[{}]", pid_namespace))})});
}

/// The directory of a process.
inline Entry process(const Process& process) {
  return directory(
      std::to_string(process.pid),
      {file("stat", stat_text(process)), file("status", status_text(process)), file("cmdline", process.arguments),
       file("cgroup", "0::" + process.cgroup + "\n"), directory("ns", {link("pid", "pid:[4026531836]")})});
}

}  // namespace dualgpuopt::memory::fixture
