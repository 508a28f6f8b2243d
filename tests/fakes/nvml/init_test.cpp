#include <fstream>

#include "fakes/nvml/client.h"

namespace nvml_fake {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(Init, IsCounted) {
  const Client client;
  EXPECT_EQ(client.call("nvmlShutdown"), kUninitialized);
  EXPECT_EQ(client.call("nvmlInit"), kSuccess);
  EXPECT_EQ(client.call("nvmlInitWithFlags", 0U), kSuccess);
  EXPECT_EQ(client.call("nvmlShutdown"), kSuccess);
  EXPECT_EQ(client.count(), 0U) << "still initialised";
  EXPECT_EQ(client.call("nvmlShutdown"), kSuccess);
  EXPECT_EQ(client.call("nvmlShutdown"), kUninitialized);
}

TEST(Init, MustComeFirst) {
  const Client client;
  client.fake.tell("[[gpu]]");
  unsigned count = 0;
  Handle device = nullptr;
  char text[80];
  EXPECT_EQ(client.call("nvmlDeviceGetCount_v2", &count), kUninitialized);
  EXPECT_EQ(client.call("nvmlDeviceGetHandleByIndex_v2", 0U, &device), kUninitialized);
  EXPECT_EQ(client.call("nvmlSystemGetDriverVersion", text, 80U), kUninitialized);
}

TEST(Init, RefusesUnknownFlags) {
  const Client client;
  EXPECT_EQ(client.call("nvmlInitWithFlags", 7U), kSuccess);
  EXPECT_EQ(client.call("nvmlInitWithFlags", 8U), kInvalidArgument);
}

TEST(Init, ExplainsCodesWithoutBeingInitialised) {
  const Client client;
  const auto library = ::dlopen(client.fake.path().c_str(), RTLD_NOW);
  const auto words = reinterpret_cast<const char* (*)(int)>(::dlsym(library, "nvmlErrorString"));
  EXPECT_STREQ(words(0), "Success");
  EXPECT_STREQ(words(15), "GPU is lost");
  EXPECT_STREQ(words(12345), "Unknown Error");
  ::dlclose(library);
}

/// Sets a variable of the environment while it is there.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) { ::setenv(name, value.c_str(), 1); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;
  ~Variable() { ::unsetenv(name_); }

 private:
  const char* name_;
};

std::string scratch_file(const std::string& name, const std::string& text) {
  const auto file = ::testing::TempDir() + "nvml_fake_" + std::to_string(::getpid()) + "_" + name;
  std::ofstream(file) << text;
  return file;
}

TEST(Environment, NamesTheScenario) {
  const auto file = scratch_file("scenario.toml", "[[gpu]]\n[[gpu]]\n");
  const Variable variable("NVML_FAKE_SCENARIO", file);
  const Client client;
  EXPECT_EQ(client.call("nvmlInit_v2"), kSuccess);
  EXPECT_EQ(client.count(), 2U);
  std::filesystem::remove(file);
}

TEST(Environment, NamesAScenarioThatIsWrong) {
  const auto file = scratch_file("wrong.toml", "[[gpu]]\ntotal = \"24 gallons\"\n");
  const Variable variable("NVML_FAKE_SCENARIO", file);
  const Client client;
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(client.call("nvmlInit_v2"), kUnknown);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              AllOf(HasSubstr(file), HasSubstr("line 2"), HasSubstr("total")));
  std::filesystem::remove(file);
}

TEST(Environment, NamesAScenarioThatIsNotThere) {
  const Variable variable("NVML_FAKE_SCENARIO", "/nowhere/scenario.toml");
  const Client client;
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(client.call("nvmlInit_v2"), kUnknown);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("No such file"));
}

TEST(Counts, AreKeptByExactName) {
  const Client client("[[gpu]]");
  const auto gpu = client.gpu(0);
  static_cast<void>(client.memory_v1(gpu));
  for (int i = 0; i < 3; ++i) static_cast<void>(client.memory_v2(gpu));
  EXPECT_EQ(client.fake.calls_of("nvmlDeviceGetMemoryInfo"), 1U);
  EXPECT_EQ(client.fake.calls_of("nvmlDeviceGetMemoryInfo_v2"), 3U);
  EXPECT_EQ(client.fake.calls_of("nvmlDeviceGetCount"), 0U);
  EXPECT_EQ(client.fake.calls_of("nvmlDeviceGetNothing"), 0U);
}

TEST(Counts, CountCallsThatFail) {
  const Client client;
  EXPECT_EQ(client.call("nvmlShutdown"), kUninitialized);
  EXPECT_EQ(client.fake.calls_of("nvmlShutdown"), 1U);
}

std::string read(const std::string& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(Counts, AreWrittenWhenTheLastClientShutsDown) {
  const auto file = scratch_file("counts", "");
  const Variable variable("NVML_FAKE_CALLS", file);
  const Client client;
  EXPECT_EQ(client.call("nvmlInit_v2"), kSuccess);
  EXPECT_EQ(client.call("nvmlInit_v2"), kSuccess);
  EXPECT_EQ(client.call("nvmlShutdown"), kSuccess);
  EXPECT_EQ(read(file), "") << "one is left";
  EXPECT_EQ(client.call("nvmlShutdown"), kSuccess);
  EXPECT_EQ(read(file), "nvmlInit_v2 2\nnvmlShutdown 2\n");
  std::filesystem::remove(file);
}

TEST(Counts, AreWrittenAtTheEndOfAProcessThatForgetsToShutDown) {
  const auto file = scratch_file("counts_at_exit", "");
  const Variable variable("NVML_FAKE_CALLS", file);
  const auto client = [] {
    auto* library = ::dlopen(dualgpuopt::memory::fake_nvml_path().c_str(), RTLD_NOW);
    reinterpret_cast<int (*)()>(::dlsym(library, "nvmlInit_v2"))();
    std::exit(0);
  };
  EXPECT_EXIT(client(), ::testing::ExitedWithCode(0), "");
  EXPECT_EQ(read(file), "nvmlInit_v2 1\n");
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace nvml_fake
