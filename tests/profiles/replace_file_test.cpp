#include "profiles/replace_file.h"

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>

#include "profiles/temporary_folder.h"

namespace dualgpuopt::memory {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ReplaceFile = testing::TemporaryFolder;

mode_t mode_of(const std::filesystem::path& file) {
  struct stat status {};
  EXPECT_EQ(::stat(file.c_str(), &status), 0);
  return status.st_mode & 07777;
}

/// No file may become larger than this while it lives: a disk that is full.
class FullDisk {
 public:
  explicit FullDisk(rlim_t most) : former_signal_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &former_);
    const rlimit small{most, former_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &former_);
    std::signal(SIGXFSZ, former_signal_);
  }

 private:
  rlimit former_{};
  void (*former_signal_)(int);
};

TEST_F(ReplaceFile, MakesAndReplaces) {
  const auto file = folder_ / "a";
  ASSERT_TRUE(replace_file(file, "first"));
  EXPECT_EQ(contents(file), "first");
  ASSERT_TRUE(replace_file(file, std::string(100'000, 'x')));
  EXPECT_EQ(contents(file), std::string(100'000, 'x'));
  ASSERT_TRUE(replace_file(file, ""));
  EXPECT_EQ(contents(file), "");
  EXPECT_THAT(names(), ElementsAre("a")) << "nothing is left beside it";
}

TEST_F(ReplaceFile, WorksInTheFolderItIsIn) {
  const auto former = std::filesystem::current_path();
  std::filesystem::current_path(folder_);
  EXPECT_TRUE(replace_file("bare", "text"));
  std::filesystem::current_path(former);
  EXPECT_EQ(contents(folder_ / "bare"), "text");
}

TEST_F(ReplaceFile, KeepsPermissions) {
  const auto file = folder_ / "a";
  write(file, "old");
  ::chmod(file.c_str(), 0640);
  ASSERT_TRUE(replace_file(file, "new"));
  EXPECT_EQ(mode_of(file), 0640U);
  const auto mask = ::umask(027);
  EXPECT_TRUE(replace_file(folder_ / "b", "new"));
  ::umask(mask);
  EXPECT_EQ(mode_of(folder_ / "b"), 0640U);
}

TEST_F(ReplaceFile, FollowsLinks) {
  write(folder_ / "real", "old");
  std::filesystem::create_symlink("real", folder_ / "link");
  ASSERT_TRUE(replace_file(folder_ / "link", "new"));
  EXPECT_TRUE(std::filesystem::is_symlink(folder_ / "link"));
  EXPECT_EQ(contents(folder_ / "real"), "new");
}

TEST_F(ReplaceFile, FindsANameBesideWhatIsLeftOver) {
  write(folder_ / ("a." + std::to_string(::getpid()) + "-0.new"), "of one that was killed");
  ASSERT_TRUE(replace_file(folder_ / "a", "new"));
  EXPECT_EQ(contents(folder_ / "a"), "new");
  EXPECT_EQ(names().size(), 2U);
}

TEST_F(ReplaceFile, LosesNothingOnAFullDisk) {
  const auto file = folder_ / "a";
  write(file, "old");
  const auto replaced = [&] {
    const FullDisk full(1000);
    return replace_file(file, std::string(5000, 'x'));
  }();
  ASSERT_FALSE(replaced);
  EXPECT_EQ(replaced.error().code(), ErrorCode::Io);
  EXPECT_THAT(replaced.error().message(), HasSubstr("cannot be written: File too large"));
  EXPECT_EQ(contents(file), "old");
  EXPECT_THAT(names(), ElementsAre("a"));
}

TEST_F(ReplaceFile, WritesDirectlyToWhatIsNoFile) {
  EXPECT_TRUE(replace_file("/dev/null", "text"));
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
  const auto full = replace_file("/dev/full", "text");
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().describe(), "cannot be written: No space left on device");
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/full"));
}

TEST_F(ReplaceFile, SaysWhyNot) {
  EXPECT_EQ(replace_file(folder_ / "none" / "a", "text").error().code(), ErrorCode::NotFound);
  EXPECT_EQ(replace_file(folder_, "text").error().code(), ErrorCode::Io) << "a folder";
  EXPECT_EQ(replace_file("", "text").error().code(), ErrorCode::NotFound);
  EXPECT_THAT(names(), ElementsAre());
  if (::geteuid() == 0) return;  // nothing is refused to root
  ::chmod(folder_.c_str(), 0500);
  EXPECT_EQ(replace_file(folder_ / "a", "text").error().code(), ErrorCode::PermissionDenied);
  ::chmod(folder_.c_str(), 0700);
}

}  // namespace
}  // namespace dualgpuopt::memory
