#include "dualgpuopt/memory/sources/make_source.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>

#include "dualgpuopt/memory/sources/simulated.h"
#include "sources/source_driver.h"

namespace dualgpuopt::memory {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

/// A driver that answers with a simulated source of so many devices.
SourceDriver answering(std::string_view name, std::size_t devices) {
  return {name, [devices](const Clock& clock, const SourceSettings&) -> Result<std::unique_ptr<MemorySource>> {
            Scenario scenario;
            scenario.devices.resize(devices);
            return std::make_unique<SimulatedSource>(std::move(scenario), clock);
          }};
}

SourceDriver failing(std::string_view name, std::string reason) {
  return {name, [reason](const Clock&, const SourceSettings&) -> Result<std::unique_ptr<MemorySource>> {
            return fail(ErrorCode::Unavailable, reason);
          }};
}

/// A driver that opens and then says nothing more.
class MuteSource final : public MemorySource {
 public:
  std::string_view name() const override { return "mute"; }
  Provenance provenance() const override { return Provenance::Driver; }
  Result<std::vector<Device>> enumerate() override { return fail(ErrorCode::Unavailable, "the driver is mute"); }
  Reading read(int gpu, ReadDetail /*detail*/) override {
    return Reading::unavailable(gpu, {}, Provenance::Driver, "the driver is mute");
  }
};

SourceDriver mute(std::string_view name) {
  return {name, [](const Clock&, const SourceSettings&) -> Result<std::unique_ptr<MemorySource>> {
            return std::make_unique<MuteSource>();
          }};
}

class MakeSource : public ::testing::Test {
 protected:
  Error error_of(std::string_view spec, const std::vector<SourceDriver>& drivers = {failing("nvml", "no")}) {
    auto source = make_source(spec, clock_, {}, drivers);
    EXPECT_FALSE(source) << spec;
    return source ? Error(ErrorCode::InvalidArgument, "no error") : source.error();
  }

  std::size_t devices_of(std::string_view spec, const std::vector<SourceDriver>& drivers = {failing("nvml", "no")}) {
    auto source = make_source(spec, clock_, {}, drivers);
    EXPECT_TRUE(source) << source.error().describe();
    return source ? (*source)->enumerate()->size() : 0;
  }

  std::filesystem::path written(const std::string& name, std::string_view text) {
    auto file = std::filesystem::path(::testing::TempDir()) / name;
    std::ofstream(file, std::ios::binary) << text;
    return file;
  }

  VirtualClock clock_;
};

TEST_F(MakeSource, AutoTakesTheFirstDriverThatHasAGpu) {
  EXPECT_EQ(devices_of("auto", {answering("one", 2), answering("two", 3)}), 2U);
  EXPECT_EQ(devices_of("auto", {failing("one", "no"), answering("two", 3)}), 3U);
  EXPECT_EQ(devices_of("auto", {answering("one", 0), answering("two", 3)}), 3U);
  EXPECT_EQ(devices_of("auto", {mute("one"), answering("two", 3)}), 3U);
}

TEST_F(MakeSource, AutoSaysWhatItTriedAndWhyEachFailed) {
  const auto error =
      error_of("auto", {failing("nvml", "libnvidia-ml.so.1 is not there"), mute("amdgpu"), answering("intel", 0)});
  EXPECT_EQ(error.code(), ErrorCode::Unavailable);
  EXPECT_EQ(error.describe(),
            "no GPU was found; tried nvml: libnvidia-ml.so.1 is not there; amdgpu: the driver is mute; "
            "intel: the driver answers, but has no GPU");
}

TEST_F(MakeSource, OpensADriverByName) {
  EXPECT_EQ(devices_of("two", {answering("one", 2), answering("two", 3)}), 3U);
  EXPECT_EQ(devices_of("one", {answering("one", 0)}), 0U);
  EXPECT_EQ(error_of("nvml", {failing("nvml", "the reason")}).describe(), "the reason");
}

TEST_F(MakeSource, RefusesUnknownWordsWithTheValidOnes) {
  for (const auto* spec : {"", "nvlm", "AUTO", "sim", "sim:", "trace", "trace:", "demo", "simulated:demo"}) {
    const auto error = error_of(spec);
    EXPECT_EQ(error.code(), ErrorCode::InvalidArgument) << spec;
    EXPECT_THAT(error.message(),
                AllOf(StartsWith("unknown source \"" + std::string(spec) + "\""),
                      HasSubstr("expected auto, nvml, sim:NAME-OR-FILE (built in: demo) or trace:FILE")));
  }
  EXPECT_LT(error_of(std::string(1'000'000, 'x')).message().size(), 500U);
}

TEST_F(MakeSource, OpensBuiltInScenarios) {
  auto source = make_source("sim:demo", clock_, {}, {});
  ASSERT_TRUE(source) << source.error().describe();
  EXPECT_EQ((*source)->name(), "sim");
  EXPECT_EQ((*source)->provenance(), Provenance::Simulated);
  EXPECT_EQ((*source)->enumerate()->size(), 2U);
}

TEST_F(MakeSource, OpensScenarioFiles) {
  const auto file = written("make_source_test.toml", "[[gpu]]\ntotal = '8GiB'\n");
  EXPECT_EQ(devices_of("sim:" + file.string()), 1U);
}

TEST_F(MakeSource, SaysThatThereIsNeitherScenarioNorFile) {
  const auto error = error_of("sim:dmeo");
  EXPECT_EQ(error.code(), ErrorCode::NotFound);
  EXPECT_EQ(error.describe(), "there is no built-in scenario \"dmeo\"; there is demo, and no file of that name");
}

TEST_F(MakeSource, HandsOnWhatIsWrongInAScenarioFile) {
  const auto file = written("make_source_wrong.toml", "[[gpu]]\nsize = '8GiB'\n");
  const auto error = error_of("sim:" + file.string());
  EXPECT_EQ(error.code(), ErrorCode::ParseFailed);
  EXPECT_THAT(error.describe(), HasSubstr("make_source_wrong.toml\": line 2, column 1: unknown key \"size\""));
}

TEST_F(MakeSource, OpensTraces) {
  const auto file = written("make_source_test.csv", "t_s,gpu,used_bytes,total_bytes\n0,0,10,100\n0,1,10,100\n");
  auto source = make_source("trace:" + file.string(), clock_, {}, {});
  ASSERT_TRUE(source) << source.error().describe();
  EXPECT_EQ((*source)->name(), "trace");
  EXPECT_EQ((*source)->enumerate()->size(), 2U);
  EXPECT_THAT(error_of("trace:/nowhere/at-all.csv").describe(), HasSubstr("/nowhere/at-all.csv"));
}

// Whether a GPU is there is this machine's affair; that the real drivers are asked is ours.
TEST_F(MakeSource, AsksTheRealDriversByDefault) {
  const auto source = make_source("auto", clock_);
  if (source) {
    EXPECT_EQ((*source)->provenance(), Provenance::Driver);
  } else {
    EXPECT_EQ(source.error().code(), ErrorCode::Unavailable);
    EXPECT_THAT(source.error().message(), StartsWith("no GPU was found; tried nvml: "));
  }
}

}  // namespace
}  // namespace dualgpuopt::memory
