#include <unistd.h>

#include <fstream>

#include "fakes/nvml/client.h"

namespace nvml_fake {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr auto kBusy = R"(
[[gpu]]
[[gpu.process]]
pid = 42
motion = [{kind = "step", amount = 4000}]
[[gpu.process]]
pid = 43
motion = [{kind = "step", amount = 3000}]
[[gpu]]
kind = "mig"
[[gpu.instance]]
slot = 1
[[gpu.instance.process]]
pid = 44
motion = [{kind = "step", amount = 2000}]
)";

class LiveFile : public ::testing::Test {
 protected:
  LiveFile() { ::setenv("NVML_FAKE_LIVE", file_.c_str(), 1); }
  ~LiveFile() override {
    ::unsetenv("NVML_FAKE_LIVE");
    std::filesystem::remove(file_);
  }
  /// As a writer should: the file is complete when it appears under its name.
  void write(const std::string& text) const {
    std::ofstream(file_ + ".new") << text;
    std::filesystem::rename(file_ + ".new", file_);
  }

  std::string file_ = ::testing::TempDir() + "nvml_fake_live_" + std::to_string(::getpid());
};

TEST_F(LiveFile, ChangesWhatAProcessHolds) {
  const Client client(kBusy);
  EXPECT_EQ(client.used(client.gpu(0)), 7000U);
  write("[[set]]\ngpu = 0\npid = 42\nused = 100\n");
  EXPECT_EQ(client.used(client.gpu(0)), 3100U);
  EXPECT_EQ(client.compute(client.gpu(0))[0].used, 100U);
  std::filesystem::remove(file_);
  EXPECT_EQ(client.used(client.gpu(0)), 7000U) << "overrides while it is there";
}

TEST_F(LiveFile, BringsAProcessThatTheScenarioDoesNotKnow) {
  const Client client(kBusy);
  write("[[set]]\ngpu = 0\npid = 99\nused = 1000\n");
  EXPECT_EQ(client.used(client.gpu(0)), 8000U);
  EXPECT_EQ(client.compute(client.gpu(0)).back().pid, 99U);
  EXPECT_EQ(client.compute(client.gpu(0)).back().used, 1000U);
  write("[[set]]\ngpu = 0\npid = 99\ngone = true\n");
  EXPECT_EQ(client.compute(client.gpu(0)).size(), 2U);
}

TEST_F(LiveFile, EndsAProcess) {
  const Client client(kBusy);
  write("[[set]]\ngpu = 0\npid = 42\ngone = true\n");
  EXPECT_EQ(client.used(client.gpu(0)), 3000U);
  const auto left = client.compute(client.gpu(0));
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].pid, 43U);
}

TEST_F(LiveFile, SetsAllThatIsUsed) {
  const Client client(kBusy);
  write("[[set]]\ngpu = 0\nused = 9000\n[[set]]\ngpu = 1\ninstance = 1\npid = 44\nused = 5\n");
  EXPECT_EQ(client.used(client.gpu(0)), 9000U);
  EXPECT_EQ(client.used(client.instance(client.gpu(1), 1)), 5U);
}

TEST_F(LiveFile, BringsFaultsWhoseTimeBeginsWhenItIsSeen) {
  const Client client(kBusy);
  const auto gpu = client.gpu(0);
  client.clock.advance(100s);
  write("[[fault]]\nkind = \"error\"\nat = \"1s\"\nlasting = \"1s\"\ngpu = 0\ncode = 999\ncall = \"MemoryInfo\"\n");
  MemoryV1 memory{};
  EXPECT_EQ(client.call("nvmlDeviceGetMemoryInfo", gpu, &memory), kSuccess);
  client.clock.advance(1s);
  EXPECT_EQ(client.call("nvmlDeviceGetMemoryInfo", gpu, &memory), kUnknown);
  client.clock.advance(1s);
  EXPECT_EQ(client.call("nvmlDeviceGetMemoryInfo", gpu, &memory), kSuccess);
}

TEST_F(LiveFile, KeepsTheLastGoodOneAndComplainsOnce) {
  const Client client(kBusy);
  write("[[set]]\ngpu = 0\npid = 42\nused = 100\n");
  EXPECT_EQ(client.used(client.gpu(0)), 3100U);
  write("[[set]]\ngpu = 7\nused = 1\n");
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(client.used(client.gpu(0)), 3100U);
  EXPECT_EQ(client.used(client.gpu(0)), 3100U);
  const auto complaint = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(complaint, HasSubstr("there is no GPU 7"));
  EXPECT_EQ(std::count(complaint.begin(), complaint.end(), '\n'), 1);
}

TEST_F(LiveFile, WantsToBeUnderstood) {
  for (const auto* text : {"[[set]]\nused = 1\n", "[[set]]\ngpu = 0\n", "[[set]]\ngpu = 0\npid = 42\n",
                           "[[set]]\ngpu = 0\npid = 42\nused = 1\ngone = true\n", "[[set]]\ngpu = 0\ngone = true\n",
                           "[[sets]]\n", "nonsense"}) {
    const Client client(kBusy);
    write(text);
    ::testing::internal::CaptureStderr();
    EXPECT_EQ(client.used(client.gpu(0)), 7000U);
    EXPECT_THAT(::testing::internal::GetCapturedStderr(), AllOf(HasSubstr("line "), HasSubstr(", column "))) << text;
  }
}

}  // namespace
}  // namespace nvml_fake
