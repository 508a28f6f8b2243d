#include <fstream>
#include <map>
#include <sstream>

#include "fakes/nvml/client.h"

namespace nvml_fake {
namespace {

/// A branch, and its number as symbols.txt has it.
struct Branch {
  NvmlGeneration generation;
  double number;
  const char* driver;
};

class EveryBranch : public ::testing::TestWithParam<Branch> {};

INSTANTIATE_TEST_SUITE_P(Nvml, EveryBranch,
                         ::testing::Values(Branch{NvmlGeneration::R418, 418, "418.226.00"},
                                           Branch{NvmlGeneration::R470, 470, "470.256.02"},
                                           Branch{NvmlGeneration::R510, 510, "510.108.03"},
                                           Branch{NvmlGeneration::R535_43, 535.43, "535.43.02"},
                                           Branch{NvmlGeneration::R550, 550, "550.54.14"},
                                           Branch{NvmlGeneration::R580, 580, "580.65.06"}));

struct Row {
  std::string symbol, since, until, fact;
};

std::vector<Row> rows() {
  std::ifstream file(DUALGPUOPT_SOURCE_DIR "/tests/fakes/nvml/symbols.txt");
  std::vector<Row> rows;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    Row row;
    std::istringstream fields(line);
    fields >> row.symbol >> row.since >> row.until >> std::ws;
    std::getline(fields, row.fact);
    rows.push_back(row);
  }
  return rows;
}

TEST_P(EveryBranch, ExportsWhatTheTableSaysAndNothingElse) {
  const Client client(GetParam().generation);
  ASSERT_GT(rows().size(), 80U);
  for (const auto& row : rows()) {
    const bool is_due =
        GetParam().number >= std::stod(row.since) && (row.until == "-" || GetParam().number < std::stod(row.until));
    EXPECT_EQ(client.has(row.symbol), is_due) << row.symbol;
  }
  EXPECT_FALSE(client.has("_ZN9nvml_fake6driverEv")) << "C++ names stay inside";
}

TEST_P(EveryBranch, RestsOnAFact) {
  for (const auto& row : rows()) EXPECT_FALSE(row.fact.empty()) << row.symbol;
}

TEST_P(EveryBranch, CanBeFoundUnderBothNames) {
  const auto library = dualgpuopt::memory::fake_nvml_path(GetParam().generation);
  EXPECT_TRUE(std::filesystem::exists(library));
  EXPECT_TRUE(std::filesystem::equivalent(library, library.parent_path() / "libnvidia-ml.so"));
}

TEST_P(EveryBranch, NamesItsDriver) {
  const Client client("[[gpu]]", GetParam().generation);
  char version[80];
  ASSERT_EQ(client.call("nvmlSystemGetDriverVersion", version, 80U), kSuccess);
  EXPECT_STREQ(version, GetParam().driver);
}

/// nvitop 1.7.2 tells by these two how long the entries behind _v3 are.
TEST(Generations, TellTheLengthOfTheEntriesAsNvitopLooksForIt) {
  const auto takes_them_for_wide = [](NvmlGeneration generation) {
    const Client client(generation);
    return client.has("nvmlDeviceGetConfComputeMemSizeInfo") && !client.has("nvmlDeviceGetRunningProcessDetailList");
  };
  EXPECT_TRUE(takes_them_for_wide(NvmlGeneration::R535_43));
  for (const auto generation :
       {NvmlGeneration::R418, NvmlGeneration::R470, NvmlGeneration::R510, NvmlGeneration::R550, NvmlGeneration::R580}) {
    EXPECT_FALSE(takes_them_for_wide(generation));
  }
}

TEST(Generations, HaveAnotherDriverIfTheScenarioSaysSo) {
  const Client client("driver = {version = \"555.1\"}");
  char version[80];
  ASSERT_EQ(client.call("nvmlSystemGetDriverVersion", version, 80U), kSuccess);
  EXPECT_STREQ(version, "555.1");
}

}  // namespace
}  // namespace nvml_fake
