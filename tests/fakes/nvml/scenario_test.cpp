#include <fstream>

#include "fakes/nvml/client.h"

namespace nvml_fake {
namespace {

using namespace std::chrono_literals;
using namespace dualgpuopt::memory::literals;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::string problem(const std::string& toml) {
  const Client client;
  try {
    client.fake.tell(toml);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "none";
}

TEST(Scenario, TellsHowMemoryMoves) {
  const Client client(R"(
[[gpu]]
total = "10GiB"
reserved = 0
[[gpu.motion]]
kind = "step"
at = "1s"
amount = "1GiB"
[[gpu.process]]
pid = 1
start = "2s"
stop = "8s"
motion = [{kind = "ramp", at = "1s", lasting = "2s", amount = "4GiB"}]
)");
  const auto used_after = [&](std::chrono::nanoseconds step) {
    client.clock.advance(step);
    return client.used(client.gpu(0));
  };
  EXPECT_EQ(used_after(0s), 0U);
  EXPECT_EQ(used_after(1s), 1_GiB);
  EXPECT_EQ(used_after(3s), 3_GiB) << "2 s into the process, half of the ramp";
  EXPECT_EQ(used_after(2s), 5_GiB);
  EXPECT_EQ(used_after(2s), 1_GiB) << "it has stopped";
}

TEST(Scenario, CutsOffWhatDoesNotFit) {
  const Client client(R"(
[[gpu]]
total = "10GiB"
reserved = "1GiB"
[[gpu.process]]
pid = 1
motion = [{kind = "step", amount = "7GiB"}]
[[gpu.process]]
pid = 2
motion = [{kind = "step", amount = "7GiB"}]
)");
  EXPECT_EQ(client.memory_v2(client.gpu(0)).free, 0U);
  EXPECT_EQ(client.compute(client.gpu(0))[1].used, 2_GiB);
}

TEST(Scenario, FollowsATrace) {
  const auto file = ::testing::TempDir() + "nvml_fake_" + std::to_string(::getpid()) + ".csv";
  std::ofstream(file) << "t_s,gpu,used_bytes,total_bytes\n0,0,100,\n10,0,200,\n";
  const Client client("[[gpu]]\ntrace = \"" + file +
                      "\"\n[[gpu.process]]\npid = 1\nmotion = [{kind = \"step\", amount = 150}]\n");
  EXPECT_EQ(client.used(client.gpu(0)), 100U);
  EXPECT_EQ(client.compute(client.gpu(0))[0].used, 100U) << "no process holds more than there is";
  client.clock.advance(10s);
  EXPECT_EQ(client.used(client.gpu(0)), 200U);
  EXPECT_EQ(client.compute(client.gpu(0))[0].used, 150U);
  std::filesystem::remove(file);
}

TEST(Scenario, ReusesAPid) {
  const Client client(
      "[[gpu]]\n[[gpu.process]]\npid = 5\nstop = \"1s\"\nname = \"old\"\n"
      "[[gpu.process]]\npid = 5\nstart = \"1s\"\nname = \"new\"\n");
  char name[8] = "";
  client.clock.advance(1s);
  EXPECT_EQ(client.compute(client.gpu(0)).size(), 1U);
  EXPECT_EQ(client.call("nvmlSystemGetProcessName", 5U, name, 8U), kSuccess);
  EXPECT_STREQ(name, "new");
}

TEST(Scenario, MayHaveNoGpus) { EXPECT_EQ(Client("").count(), 0U); }

TEST(Scenario, KeepsWhatIsToldWhenTheNextIsWrong) {
  const Client client("[[gpu]]");
  EXPECT_THROW(client.fake.tell("[[gpu]]\ntotal = 0\n"), std::runtime_error);
  EXPECT_EQ(client.count(), 1U);
}

TEST(Scenario, SaysWhereItIsWrong) {
  const std::vector<std::pair<std::string, std::string>> wrong{
      {"[[gpu", "line 1"},
      {"[[gpus]]", "unknown key"},
      {"[[gpu]]\nkind = \"amd\"", "line 2, column 8: kind: found \"amd\", expected one of plain, mig, gb10, wsl"},
      {"[[gpu]]\ntotal = 0", "line 2, column 9: total: expected more than 0"},
      {"[[gpu]]\ntotal = 1\nreserved = 2", "line 3, column 12: reserved: expected no more than the total"},
      {"[[gpu]]\npci = \"1.0\"", "pci: expected an address"},
      {"[[gpu]]\naccounting = 1", "accounting: expected true or false"},
      {"[[gpu]]\nname = \"" + std::string(96, 'x') + "\"", "name: expected at most 95 characters"},
      {"[[gpu]]\ntrace = \"/nowhere.csv\"", "trace: "},
      {"[[gpu]]\n[[gpu.process]]", "the key \"pid\" is missing in [[gpu.process]]"},
      {"[[gpu]]\n[[gpu.process]]\npid = 1\nlists = [\"both\"]", "lists: expected \"compute\", \"graphics\" or \"mps\""},
      {"[[gpu]]\n[[gpu.process]]\npid = 1\n[[gpu.process]]\npid = 1", "belongs to another process at the same time"},
      {"[[gpu]]\n[[gpu.process]]\npid = 1\nstart = \"2s\"\nstop = \"1s\"", "stop: expected a time after the start"},
      {"[[gpu]]\n[[gpu.motion]]\nkind = \"jump\"", "kind"},
      {"[[gpu]]\n[[gpu.motion]]\nkind = \"leak\"\namount = 1", "the key \"period\" is missing"},
      {"[[gpu]]\n[[gpu.motion]]\nkind = \"leak\"\nperiod = 0\namount = 1", "period: expected more than 0"},
      {"[[gpu]]\n[[gpu.instance]]\nslot = 0", "only \"mig\" has instances"},
      {"[[gpu]]\nkind = \"mig\"\n[[gpu.instance]]\nslot = 7", "slot: found the number 7"},
      {"[[gpu]]\nkind = \"mig\"\n[[gpu.instance]]\nslot = 1\n[[gpu.instance]]\nslot = 1", "taken by another instance"},
      {"[[gpu]]\n[[gpu.event]]\nkind = \"noise\"", "expected one of xid, ecc_single, ecc_double"},
      {"[[fault]]", "the key \"kind\" is missing in [[fault]]"},
      {"[[fault]]\nkind = \"boom\"", "expected one of error, hang"},
      {"[[fault]]\nkind = \"error\"", "the key \"code\" is missing"},
      {"[[fault]]\nkind = \"hang\"\ncall = \"Memory\"", "call: expected a function"},
      {"[[fault]]\nkind = \"hang\"\ngpu = 0", "there is no GPU 0: the scenario has 0"},
      {"[[gpu]]\n[[fault]]\nkind = \"hang\"\ngpu = 0\ninstance = 1", "GPU 0 has no instance in slot 1"},
      {"[[fault]]\nkind = \"hang\"\ninstance = 1", "the key \"gpu\" must say whose instance"},
      {"[[fault]]\nkind = \"lost\"\nlookup = 7", "lookup: expected 15 or 999"},
      {"[[fault]]\nkind = \"lost\"\nprobability = 0.5", "unknown key \"probability\""},
      {"[[fault]]\nkind = \"hang\"\nprobability = 1.5", "probability: expected a number from 0 to 1"},
      {"[[fault]]\nkind = \"absurd\"\nvalues = \"odd\"", "expected one of used_above_total"},
      {"latency = \"slow\"", "expected one of none, measured"},
      {"[latency]\nNothing = 1", "Nothing: expected a function"},
      {"[driver]\nname = \"x\"", "unknown key \"name\" in [driver]"},
  };
  for (const auto& [toml, words] : wrong) {
    EXPECT_THAT(problem(toml), AllOf(HasSubstr("line "), HasSubstr(words))) << toml;
  }
}

TEST(Scenario, HasNoRoomForMoreDevicesThanTheStateHas) {
  std::string toml;
  for (int i = 0; i < kNvmlFakeDevices; ++i) toml += "[[gpu]]\n";
  EXPECT_EQ(problem(toml), "none");
  EXPECT_THAT(problem(toml + "[[gpu]]\n"), HasSubstr("expected at most 72 devices"));
}

std::string read(const std::filesystem::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(Scenario, ExamplesAreGood) {
  unsigned examples = 0;
  for (const auto& file : std::filesystem::directory_iterator(DUALGPUOPT_SOURCE_DIR "/tests/fakes/nvml/scenarios")) {
    EXPECT_EQ(problem(read(file)), "none") << file;
    ++examples;
  }
  EXPECT_GE(examples, 8U);
}

/// The TOML blocks of the document.
std::vector<std::string> documented() {
  const auto document = read(DUALGPUOPT_SOURCE_DIR "/docs/nvml-stand-in.md");
  const std::string opening = "```toml\n";
  std::vector<std::string> examples;
  for (auto begin = document.find(opening); begin != std::string::npos; begin = document.find(opening, begin)) {
    begin += opening.size();
    examples.push_back(document.substr(begin, document.find("```", begin) - begin));
  }
  return examples;
}

TEST(Scenario, DocumentedExamplesDoWhatTheySay) {
  ASSERT_EQ(documented().size(), 2U) << "a scenario, and a file of the live control for it";
  const auto live = ::testing::TempDir() + "nvml_fake_documented_" + std::to_string(::getpid());
  ::setenv("NVML_FAKE_LIVE", live.c_str(), 1);
  const Client client(documented()[0]);
  ::unsetenv("NVML_FAKE_LIVE");
  client.clock.advance(22s);
  EXPECT_EQ(client.used(client.gpu(0)), 128_MiB + 12_GiB);
  EXPECT_EQ(client.used(client.instance(client.gpu(1), 2)), 1_GiB);
  ::testing::internal::CaptureStderr();
  std::ofstream(live) << documented()[1];
  EXPECT_EQ(client.used(client.gpu(0)), 128_MiB + 2_GiB + 1_GiB);
  EXPECT_EQ(client.used(client.instance(client.gpu(1), 2)), 0U);
  EXPECT_EQ(client.used(client.gpu(1)), 3_GiB);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  std::filesystem::remove(live);
}

}  // namespace
}  // namespace nvml_fake
