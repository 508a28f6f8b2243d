#include "dualgpuopt/memory/processes/device_files.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include "processes/proc_fixture.h"

namespace dualgpuopt::memory {
namespace {

using fixture::directory;
using fixture::file;
using fixture::link;
using fixture::TemporaryTree;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr auto kMaps =
    "7f0000000000-7f0000001000 r-xp 00000000 08:01 11 /usr/lib/libcuda.so.1\n"
    "7f0000002000-7f0000003000 rw-s 00000000 00:05 12                         /dev/nvidia0\n"
    "7f0000004000-7f0000005000 rw-p 00000000 00:00 0 \n"
    "7f0000006000-7f0000007000 rw-s 00000000 00:05 12                         /dev/nvidia0\n";

TEST(DeviceFiles, KnowsThemByTheirPaths) {
  for (const auto* path : {"/dev/nvidia0", "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/dri/renderD128", "/dev/dri/card0",
                           "/dev/kfd", "/dev/dxg"}) {
    EXPECT_TRUE(is_gpu_device_file(path)) << path;
  }
  for (const auto* path : {"/dev/null", "/dev/kfd2", "/home/dev/nvidia0", "/dev/dri", "", "/dev/dri/by-path/x"}) {
    EXPECT_FALSE(is_gpu_device_file(path)) << path;
  }
}

TEST(DeviceFiles, ListsWhatIsOpen) {
  const TemporaryTree tree{
      directory("proc", {directory("42", {directory("fd", {link("0", "/dev/null"), link("3", "/dev/nvidiactl"),
                                                           link("4", "/dev/nvidia0"), link("5", "/dev/nvidia0")})})})};
  EXPECT_THAT(*gpu_device_files(42, tree.root()), ElementsAre("/dev/nvidia0", "/dev/nvidiactl"));
}

TEST(DeviceFiles, LooksAtWhatIsMappedWhereNothingIsOpen) {
  const TemporaryTree tree{
      directory("proc", {directory("42", {directory("fd", {link("0", "/dev/null")}), file("maps", kMaps)})})};
  EXPECT_THAT(*gpu_device_files(42, tree.root()), ElementsAre("/dev/nvidia0"));
}

TEST(DeviceFiles, SaysWhyItCannotTell) {
  const TemporaryTree tree{directory("proc", {directory("42")})};
  EXPECT_THAT(gpu_device_files(42, tree.root()).error().message(), HasSubstr("cannot look into"));
  EXPECT_EQ(gpu_device_files(43, tree.root()).error().code(), ErrorCode::NotFound);
}

TEST(DeviceFiles, OfThisProcessAreNone) { EXPECT_THAT(*gpu_device_files(::getpid()), IsEmpty()); }

}  // namespace
}  // namespace dualgpuopt::memory
