#include "dualgpuopt/memory/oom/oom_error.h"

#include <gmock/gmock.h>

#include <set>

namespace dualgpuopt::memory {
namespace {

using ::testing::Contains;

OomError torch_error() {
  OomError error;
  error.source = OomSource::PyTorch;
  error.requested = 26_MiB;
  error.total = 24_GiB;
  error.free = 5_MiB;
  error.allocated = 20_GiB;
  error.reserved = 22_GiB;
  return error;
}

TEST(OomError, NamesItsParts) {
  EXPECT_EQ(to_string(OomSource::PyTorch), "PyTorch");
  EXPECT_EQ(to_string(OomSource::OnnxRuntime), "ONNX Runtime");
  EXPECT_EQ(to_string(OomPhase::KvCache), "kv_cache");
  EXPECT_EQ(to_string(OomBackend::DirectMl), "directml");
}

TEST(OomError, NamesNoTwoAlike) {
  std::set<std::string_view> sources;
  for (int i = 0; i <= static_cast<int>(OomSource::Linux); ++i) sources.insert(to_string(static_cast<OomSource>(i)));
  EXPECT_EQ(sources.size(), static_cast<std::size_t>(OomSource::Linux) + 1);
  std::set<std::string_view> backends;
  for (int i = 0; i <= static_cast<int>(OomBackend::Host); ++i) backends.insert(to_string(static_cast<OomBackend>(i)));
  EXPECT_EQ(backends.size(), static_cast<std::size_t>(OomBackend::Host) + 1);
}

TEST(OomError, KnowsWhatNoMachineHas) {
  EXPECT_TRUE(is_implausible(4585490524328388608U)) << "as ONNX Runtime once printed";
  EXPECT_FALSE(is_implausible(Bytes{2} << 40));
}

TEST(Complete, ReckonsWhatFollows) {
  auto error = torch_error();
  error.process = 23_GiB;
  complete(error);
  EXPECT_EQ(error.reserved_unused, 2_GiB);
  EXPECT_EQ(error.elsewhere, 1_GiB - 5_MiB);
  EXPECT_EQ(error.derived, (std::vector<std::string>{"unused_bytes", "elsewhere_bytes"}));
}

TEST(Complete, TakesTheAllocatorWhereTheProcessIsUnknown) {
  auto error = torch_error();
  complete(error);
  EXPECT_EQ(error.elsewhere, 2_GiB - 5_MiB);
}

TEST(Complete, SumsTheProcessesThatAreCertainlyOthers) {
  auto error = torch_error();
  error.reserved.reset();
  error.others = {{1, 1_GiB}, {2, 3_GiB}};
  complete(error);
  EXPECT_EQ(error.elsewhere, 4_GiB);
  auto unclear = torch_error();
  unclear.reserved.reset();
  unclear.others = {{1, 1_GiB}, {2, std::nullopt}};
  complete(unclear);
  EXPECT_FALSE(unclear.elsewhere);
}

TEST(Complete, ReckonsNothingThatWouldBeNegative) {
  auto error = torch_error();
  error.allocated = 23_GiB;
  error.process = 30_GiB;
  error.total = 1_MiB;
  complete(error);
  EXPECT_FALSE(error.reserved_unused);
  EXPECT_FALSE(error.elsewhere);
}

TEST(Complete, NotesWhatNoMachineHas) {
  OomError error;
  error.requested = 17_TiB;
  complete(error);
  EXPECT_EQ(error.implausible, (std::vector<std::string>{"requested_bytes"}));
  EXPECT_TRUE(is_implausible(error, "requested_bytes"));
  EXPECT_FALSE(is_implausible(error, "free_bytes"));
}

TEST(Complete, ReckonsNothingFromWhatNoMachineHas) {
  auto error = torch_error();
  error.total = 99_TiB;
  error.reserved = 98_TiB;
  complete(error);
  EXPECT_FALSE(error.elsewhere);
  EXPECT_FALSE(error.reserved_unused);
}

TEST(Complete, NotesSumsThatNoMachineHas) {
  OomError error;
  error.allocated = 15_TiB;
  error.reserved_unused = 15_TiB;
  complete(error);
  EXPECT_TRUE(is_implausible(error, "reserved_bytes"));
}

TEST(Complete, AProcessOfTheRightSizeMayBeTheFailingOne) {
  auto error = torch_error();
  error.others = {{7, 23_GiB}, {8, 25_GiB}, {9, 1_GiB}};
  complete(error);
  EXPECT_THAT(error.others, Contains((OomProcess{7, 23_GiB, true})));
  EXPECT_THAT(error.others, Contains((OomProcess{8, 25_GiB, false})));
}

}  // namespace
}  // namespace dualgpuopt::memory
