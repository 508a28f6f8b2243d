#include "dualgpuopt/memory/sources/trace.h"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "sources/trace_texts.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Trace, KnowsItsTimesAndUsualInterval) {
  const auto trace = parsed(csv({"0,0,1,2", "0,1,1,2", "1,0,1,2", "1,1,1,2", "2,0,1,2", "2,0,1,2", "9,0,1,2"}));
  EXPECT_THAT(trace.times(), ElementsAre(MonoTime(0s), MonoTime(1s), MonoTime(2s), MonoTime(9s)));
  EXPECT_EQ(trace.median_interval(), 1s);
}

TEST(Trace, CountsRowsOfOneTimeAsOneForItsInterval) {
  EXPECT_EQ(parsed(csv({"0,0,1,2", "0,0,1,2", "0,0,1,2", "3,0,1,2", "3,0,1,2"})).median_interval(), 3s);
}

TEST(Trace, HasNoIntervalWithFewerThanTwoTimes) {
  EXPECT_EQ(Trace{}.median_interval(), Duration::zero());
  EXPECT_THAT(Trace{}.times(), IsEmpty());
  EXPECT_EQ(parsed(csv({"0,0,1,2", "0,0,1,2", "5,1,1,2"})).median_interval(), Duration::zero())
      << "rows of one time, and rows of two devices, are no interval";
}

TEST(ParseTrace, FindsTheFormByTheFirstLine) {
  EXPECT_EQ(parsed("\n\nt_s,gpu,used_bytes,total_bytes\n0,0,1,2\n").readings.size(), 1U);
  EXPECT_EQ(parsed("2024/05/06 15:45:56.123, 0, 12 MiB, 100 MiB\n").readings.size(), 1U);
  EXPECT_EQ(parsed(R"( {"schema":1,"type":"reading","t":0,"gpu":0,"status":"unavailable"})"
                   "\n")
                .readings.size(),
            1U);
}

TEST(ParseTrace, SaysWhatItExpectedWhereItKnowsNoForm) {
  EXPECT_EQ(refusal("time;memory\n0;1\n"),
            "line 1: cannot read \"time;memory\" as the beginning of a recording: expected "
            "t_s,gpu,used_bytes,total_bytes, the CSV of nvidia-smi, or JSON Lines of gpumem record");
  EXPECT_THAT(refusal("0.000,0,1,2\n"), HasSubstr("line 1")) << "rows without header could be anything";
}

TEST(ParseTrace, RefusesAnEmptyRecording) {
  for (const auto* text : {"", "\n", "  \r\n\t\n", "\xEF\xBB\xBF"}) {
    EXPECT_THAT(refusal(text), HasSubstr("the recording is empty: expected t_s,gpu"));
  }
}

TEST(ParseTrace, RefusesAHeaderAlone) {
  EXPECT_THAT(refusal("t_s,gpu,used_bytes,total_bytes\n"), HasSubstr("no readings"));
  EXPECT_THAT(refusal("t_s,gpu,used_bytes,total_bytes"), HasSubstr("no readings"));
}

TEST(ParseTrace, NamesUtf16WhichPowerShellWrites) { EXPECT_THAT(refusal("\xFF\xFEt\0_\0s\0"s), HasSubstr("UTF-16")); }

TEST(ParseTrace, RefusesNulBytes) {
  EXPECT_THAT(refusal("t_s,gpu,used_bytes,total_bytes\n0,0,1\0,2\n1,0,1,2\n"s), HasSubstr("line 2"));
  EXPECT_THAT(refusal("2024/05/06 15:45:56, 0, 1\0 MiB, 2 MiB\n"s), HasSubstr("line 1"));
  EXPECT_THAT(refusal(std::string(100, '\0')), HasSubstr("line 1"));
}

TEST(ParseTrace, RefusesALineOfAMillionCharactersBriefly) {
  const std::string length = std::string(1'000'000, '7');
  for (const auto& text : {length + "\n", csv({length}), csv({"0,0," + length + ",2"}), csv({length + ",0,1,2"}),
                           csv({std::string(1'000'000, ',')}), "2024/05/06 15:45:56, 0, " + length + ", 1\n",
                           "timestamp, memory.used, " + length + "\n2024/05/06 15:45:56, 0\n", "{" + length + "\n"}) {
    const auto problem = refusal(text);
    EXPECT_THAT(problem, HasSubstr("line "));
    EXPECT_LT(problem.size(), 210U) << problem;
  }
}

// ---- files

/// A file in the test's own folder, gone with the object.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string_view text) { std::ofstream(path_, std::ios::binary) << text; }
  ~TemporaryFile() { std::filesystem::remove(path_); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_ =
      std::filesystem::path(::testing::TempDir()) / ::testing::UnitTest::GetInstance()->current_test_info()->name();
};

TEST(LoadTrace, ReadsAFile) {
  const TemporaryFile file(csv({"0,0,1,2", "1,0,1,2"}));
  const auto trace = load_trace(file.path());
  ASSERT_TRUE(trace) << trace.error().describe();
  EXPECT_EQ(trace->readings.size(), 2U);
}

TEST(LoadTrace, NamesTheFileInErrors) {
  const TemporaryFile file(csv({"0,0,1"}));
  const auto trace = load_trace(file.path());
  ASSERT_FALSE(trace);
  EXPECT_THAT(trace.error().describe(), HasSubstr("trace " + file.path().string() + ": line 2: cannot read"));
}

TEST(LoadTrace, SaysWhyAFileCannotBeRead) {
  const auto missing = load_trace("/nowhere/trace.csv");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), ErrorCode::NotFound);
  EXPECT_THAT(missing.error().describe(), HasSubstr("trace /nowhere/trace.csv: cannot be read: No such file"));
  const auto folder = load_trace(::testing::TempDir());
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().code(), ErrorCode::Io);
}

// ---- recordings of real machines

std::vector<std::filesystem::path> shared_traces() {
  const std::filesystem::path folder(DUALGPUOPT_SHARED_DIR "/traces");
  std::vector<std::filesystem::path> files;
  if (!std::filesystem::is_directory(folder)) return files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".csv" && entry.path().filename() != "INDEX.csv") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::size_t count_lines(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return static_cast<std::size_t>(std::count(std::istreambuf_iterator<char>(file), {}, '\n'));
}

TEST(LoadTrace, ReadsEveryRecordingOfRealMachines) {
  const auto files = shared_traces();
  if (files.empty()) GTEST_SKIP() << "The recorded traces are not on this machine: " DUALGPUOPT_SHARED_DIR "/traces";
  for (const auto& file : files) {
    const auto trace = load_trace(file);
    ASSERT_TRUE(trace) << trace.error().describe();
    EXPECT_EQ(trace->readings.size(), count_lines(file) - 1) << file;
    EXPECT_EQ(trace->times().front(), MonoTime(0s)) << file;
    EXPECT_GT(trace->median_interval(), Duration::zero()) << file;
    EXPECT_THAT(trace->warnings, IsEmpty()) << file;
  }
}

// ---- whatever the text, a trace is well-formed

void check_well_formed(const Trace& trace) {
  RC_ASSERT(!trace.readings.empty());
  RC_ASSERT(trace.readings.front().time.mono == MonoTime());
  RC_ASSERT(std::is_sorted(trace.readings.begin(), trace.readings.end(),
                           [](const auto& a, const auto& b) { return a.time.mono < b.time.mono; }));
  for (const auto& reading : trace.readings) {
    RC_ASSERT(reading.provenance == Provenance::Replayed);
    RC_ASSERT(reading.ok() == reading.reason.empty());
    RC_ASSERT(std::count_if(trace.devices.begin(), trace.devices.end(),
                            [&](const Device& device) { return device.gpu == reading.gpu; }) == 1);
  }
}

RC_GTEST_PROP(ParseTrace, AnswersAnyTextWithAWellFormedTraceOrAnError, ()) {
  const auto valid = *rc::gen::element(
      csv({"0,0,10,100", "0,1,10,", "1.5,0,20,100"}),
      lines({"timestamp, index, memory.used [MiB], memory.total [MiB]", "2024/05/06 15:45:56.123, 0, 12 MiB, 100 MiB",
             "2024/05/06 15:45:57.123, 0, [N/A], [N/A]"}),
      lines({R"({"schema":1,"type":"reading","t":0,"gpu":0,"status":"ok","used_bytes":5,"processes":[{"pid":1}]})",
             R"({"schema":1,"type":"reading","t":1,"gpu":0,"status":"unavailable","reason":"lost"})"}));
  auto text = valid;
  const auto edits = *rc::gen::inRange(0, 4);
  for (int i = 0; i < edits; ++i) {
    const auto place = *rc::gen::inRange<std::size_t>(0, text.size());
    text.replace(place, *rc::gen::inRange<std::size_t>(0, 3), *rc::gen::arbitrary<std::string>());
    if (text.empty()) break;
  }
  if (const auto trace = parse_trace(text)) {
    check_well_formed(*trace);
  } else {
    RC_ASSERT(!trace.error().message().empty());
    RC_ASSERT(edits > 0);
  }
}

}  // namespace
}  // namespace dualgpuopt::memory
