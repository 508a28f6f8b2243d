#include "sources/nvidia_smi_columns.h"

#include <gmock/gmock.h>

#include <string>

#include "sources/trace_lines.h"

namespace dualgpuopt::memory {
namespace {

using Column = NvidiaSmiColumn;

std::vector<std::string_view> fields_of(std::string_view row) {
  std::vector<std::string_view> fields;
  split_fields(row, fields);
  return fields;
}

std::optional<NvidiaSmiColumns> guessed(std::string_view row) {
  return NvidiaSmiColumns::from_first_row(fields_of(row));
}

TEST(NvidiaSmiColumns, FindsColumnsInAnyOrderAmongOthers) {
  const auto columns = NvidiaSmiColumns::from_header(
      fields_of("name, utilization.gpu [%], memory.total [MiB], timestamp, memory.used [MiB], gpu_uuid, index"));
  ASSERT_TRUE(columns);
  EXPECT_EQ(columns->width(), 7U);
  const auto row = fields_of("RTX, 9 %, 24564 MiB, 2024/05/06 15:45:56.123, 12 MiB, GPU-1, 3");
  EXPECT_EQ(columns->in(row, Column::Timestamp), "2024/05/06 15:45:56.123");
  EXPECT_EQ(columns->in(row, Column::Index), "3");
  EXPECT_EQ(columns->in(row, Column::Used), "12 MiB");
  EXPECT_EQ(columns->in(row, Column::Total), "24564 MiB");
  EXPECT_EQ(columns->in(row, Column::Name), "RTX");
  EXPECT_EQ(columns->in(row, Column::Uuid), "GPU-1");
  EXPECT_FALSE(columns->has(Column::Free));
  EXPECT_EQ(columns->in(row, Column::Free), "");
}

TEST(NvidiaSmiColumns, TakesUnitsFromTheHeader) {
  const auto columns = NvidiaSmiColumns::from_header(fields_of("memory.used [MB], memory.total, memory.free [KiB]"));
  ASSERT_TRUE(columns);
  EXPECT_EQ(columns->unit(Column::Used), 1_MiB) << "old drivers wrote MB and meant MiB";
  EXPECT_EQ(columns->unit(Column::Total), 1_MiB);
  EXPECT_EQ(columns->unit(Column::Free), 1_KiB);
}

TEST(NvidiaSmiColumns, TakesTheFirstOfTwoColumnsOfOneName) {
  const auto columns = NvidiaSmiColumns::from_header(fields_of("memory.used [MiB], memory.used [KiB]"));
  ASSERT_TRUE(columns);
  EXPECT_EQ(columns->in(fields_of("1, 2"), Column::Used), "1");
  EXPECT_EQ(columns->unit(Column::Used), 1_MiB);
}

TEST(NvidiaSmiColumns, IsNoHeaderWithoutUsed) {
  EXPECT_FALSE(NvidiaSmiColumns::from_header(fields_of("timestamp, index, memory.total [MiB]")));
  EXPECT_FALSE(NvidiaSmiColumns::from_header(fields_of("2024/05/06 15:45:56.123, 0, 12 MiB, 24564 MiB")));
}

TEST(NvidiaSmiColumns, GuessesTheColumnsOfARowWithoutHeader) {
  const auto four = guessed("2024/05/06 15:45:56.123, 0, 12, 24564");
  ASSERT_TRUE(four);
  EXPECT_TRUE(four->has(Column::Index) && four->has(Column::Used) && four->has(Column::Total));
  const auto no_index = guessed("2024/05/06 15:45:56.123, 12 MiB, 24564 MiB");
  ASSERT_TRUE(no_index);
  EXPECT_TRUE(!no_index->has(Column::Index) && no_index->has(Column::Total));
  const auto no_total = guessed("2024/05/06 15:45:56.123, 0, [N/A]");
  ASSERT_TRUE(no_total);
  EXPECT_TRUE(no_total->has(Column::Index) && !no_total->has(Column::Total));
  EXPECT_TRUE(guessed("2024/05/06 15:45:56.123, 12"));
}

TEST(NvidiaSmiColumns, DoesNotGuessWhatTheRowLeavesOpen) {
  EXPECT_FALSE(guessed("2024/05/06 15:45:56.123, 0, 12")) << "index and used, or used and total?";
  EXPECT_FALSE(guessed("2024/05/06 15:45:56.123, 0, 12 MiB, 24564 MiB, 9 %"));
  EXPECT_FALSE(guessed("0, 12 MiB, 24564 MiB"));
  EXPECT_FALSE(guessed("2024/05/06 15:45:56.123"));
}

TEST(ParseNvidiaSmiAmount, ReadsNumbersWithAndWithoutUnit) {
  EXPECT_EQ(parse_nvidia_smi_amount("1234 MiB", 1_B)->bytes, 1234_MiB);
  EXPECT_EQ(parse_nvidia_smi_amount("1234MiB", 1_B)->bytes, 1234_MiB);
  EXPECT_EQ(parse_nvidia_smi_amount("1234 MB", 1_B)->bytes, 1234_MiB);
  EXPECT_EQ(parse_nvidia_smi_amount("1234", 1_MiB)->bytes, 1234_MiB);
  EXPECT_EQ(parse_nvidia_smi_amount("0 MiB", 1_MiB)->bytes, 0_B);
}

TEST(ParseNvidiaSmiAmount, KeepsTheAnswerThatIsNoNumber) {
  for (const auto* text : {"[N/A]", "[Not Supported]", "[Unknown Error]", "[GPU is lost]", "[Insufficient Permissions]",
                           "[GPU requires reset]", "N/A", "ERR!"}) {
    const auto amount = parse_nvidia_smi_amount(text, 1_MiB);
    ASSERT_TRUE(amount) << text;
    EXPECT_FALSE(amount->bytes);
    EXPECT_EQ(amount->why_not, text);
  }
}

TEST(ParseNvidiaSmiAmount, RefusesTheRest) {
  for (const auto* text : {"", "MiB", "-1 MiB", "1.5 MiB", "1 %", "1 W", "nan", "inf", "[]", "9223372036854775808",
                           "8796093022208 MiB", "1 MiB MiB"}) {
    EXPECT_FALSE(parse_nvidia_smi_amount(text, 1_MiB)) << text;
  }
  EXPECT_TRUE(parse_nvidia_smi_amount("8796093022207 MiB", 1_MiB)) << "just below 2^63";
}

}  // namespace
}  // namespace dualgpuopt::memory
