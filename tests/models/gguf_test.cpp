#include "dualgpuopt/memory/models/gguf.h"

#include <gmock/gmock.h>

#include <cmath>

#include "models/gguf_writer.h"

namespace dualgpuopt::memory {
namespace {

using ::testing::EndsWith;
using testing::GgufWriter;
using ::testing::HasSubstr;
using testing::TemporaryFile;

GgufWriter small_model() {
  GgufWriter writer;
  writer.text("general.architecture", "llama").number("llama.block_count", 2).numbers("llama.heads", {4, -1});
  writer.texts("tokenizer.ggml.tokens", 32000, "token");
  writer.tensor("token_embd.weight", {4096, 32000}, 12).tensor("output_norm.weight", {4096}, 0);
  return writer;
}

std::string refusal(const GgufWriter& writer, const GgufLimits& limits = {}) {
  const TemporaryFile file("bad.gguf");
  writer.write(file.path());
  const auto header = read_gguf(file.path(), limits);
  return header ? "it was read" : header.error().describe();
}

TEST(Gguf, ReadsMetadataAndTensors) {
  const TemporaryFile file("model.gguf");
  small_model().write(file.path());
  const auto header = read_gguf(file.path());
  ASSERT_TRUE(header) << header.error().describe();
  EXPECT_EQ(header->version, 3U);
  EXPECT_EQ(header->text("general.architecture"), "llama");
  EXPECT_EQ(header->number("llama.block_count"), 2);
  EXPECT_EQ(header->list("llama.heads")->numbers, (std::vector<double>{4, -1}));
  EXPECT_EQ(header->list("tokenizer.ggml.tokens")->length, 32000U);
  EXPECT_TRUE(header->list("tokenizer.ggml.tokens")->numbers.empty());
  EXPECT_FALSE(header->number("general.architecture")) << "a text is no number";
  EXPECT_FALSE(header->text("nothing"));
  ASSERT_EQ(header->tensors.size(), 2U);
  EXPECT_EQ(header->tensors[0].bytes, 4096ULL / 256 * 144 * 32000);
  EXPECT_EQ(header->tensors[1].bytes, 16384U);
}

TEST(Gguf, EndsBeforeTheFileDoesWhereverItIsCut) {
  const auto whole = small_model().bytes();
  const TemporaryFile file("cut.gguf");
  for (std::size_t length = 0; length < whole.size(); length += length < 200 || length > whole.size() - 200 ? 1 : 997) {
    std::ofstream(file.path(), std::ios::binary) << whole.substr(0, length);
    const auto header = read_gguf(file.path());
    ASSERT_FALSE(header) << length;
    EXPECT_EQ(header.error().code(), ErrorCode::ParseFailed);
  }
}

TEST(Gguf, RefusesWhatIsNoGguf) {
  const TemporaryFile file("text.gguf");
  std::ofstream(file.path()) << "GGML, and something more than enough";
  EXPECT_THAT(read_gguf(file.path()).error().describe(), HasSubstr("this is not a GGUF file"));
  EXPECT_EQ(read_gguf("/no/such.gguf").error().code(), ErrorCode::NotFound);
  auto old = small_model();
  old.version = 1;
  EXPECT_THAT(refusal(old), HasSubstr("GGUF version 1; 2 and 3 can be read"));
}

TEST(Gguf, ReservesNothingForWhatIsOnlyClaimed) {
  GgufWriter many_keys;
  many_keys.extra_keys = 1ULL << 60;
  EXPECT_THAT(refusal(many_keys), HasSubstr("at most 65536 are expected"));
  GgufWriter many_tensors;
  many_tensors.extra_tensors = 1'000'000;
  EXPECT_THAT(refusal(many_tensors), HasSubstr("1000000 tensors; at most 65536 are expected"));
  EXPECT_THAT(refusal(GgufWriter().empty_list("l", GgufWriter::U64, 1ULL << 61)), HasSubstr("the file is shorter"));
  EXPECT_THAT(refusal(GgufWriter().empty_list("l", GgufWriter::Text, 1ULL << 61)),
              HasSubstr("texts or lists; at most 16777216 are expected"));
  EXPECT_THAT(refusal(GgufWriter().empty_list("l", GgufWriter::Text, 1ULL << 20)), HasSubstr("the file ends within"));
}

TEST(Gguf, RefusesListsWithinListsWithinLists) {
  std::string nested;
  GgufWriter writer;
  writer.empty_list("l", GgufWriter::List, 1);
  auto bytes = writer.bytes();
  for (int depth = 0; depth < 100; ++depth) {
    const std::uint32_t kind = GgufWriter::List;
    const std::uint64_t length = 1;
    bytes.append(reinterpret_cast<const char*>(&kind), 4).append(reinterpret_cast<const char*>(&length), 8);
  }
  const TemporaryFile file("deep.gguf");
  std::ofstream(file.path(), std::ios::binary) << bytes;
  EXPECT_THAT(read_gguf(file.path()).error().describe(), HasSubstr("lists within lists within lists"));
}

TEST(Gguf, RefusesImpossibleTensors) {
  constexpr auto huge = 1ULL << 63;
  EXPECT_THAT(refusal(GgufWriter().tensor("t", {huge, huge}, 0)),
              HasSubstr("tensor t has an impossible shape for f32"));
  EXPECT_THAT(refusal(GgufWriter().tensor("t", {100}, 12)), HasSubstr("tensor t has an impossible shape for q4_k"));
  EXPECT_THAT(refusal(GgufWriter().tensor("t", {1, 1, 1, 1, 1}, 0)), HasSubstr("tensor t has 5 dimensions"));
  EXPECT_THAT(refusal(GgufWriter().tensor("t", {1}, 99)), HasSubstr("tensor t is of type 99, which is not known"));
  EXPECT_THAT(refusal(GgufWriter().tensor(std::string(2000, 'x'), {1}, 0)),
              HasSubstr("a tensor's name has 2000 bytes"));
}

TEST(Gguf, RefusesTwoTensorsOfOneName) {
  const TemporaryFile file("m.gguf");
  small_model().tensor("output_norm.weight", {4096}, 0).write(file.path());
  EXPECT_THAT(read_gguf(file.path()).error().describe(), EndsWith("there are two tensors output_norm.weight"));
}

TEST(Gguf, TellsHowMuchOfTheWeightsIsMissing) {
  const TemporaryFile file("m.gguf");
  const auto writer = small_model();
  writer.write(file.path());
  const auto header = writer.bytes().size();
  const Bytes weights = 4096ULL * 32000 / 256 * 144;  // the larger of the two, which both begin at 0
  const auto data = (header + 31) / 32 * 32;
  EXPECT_EQ(read_gguf(file.path())->missing, data - header + weights);
  std::filesystem::resize_file(file.path(), data + weights - 1);
  EXPECT_EQ(read_gguf(file.path())->missing, 1U);
  std::filesystem::resize_file(file.path(), data + weights);
  EXPECT_EQ(read_gguf(file.path())->missing, 0U);
  for (const float odd : {std::nanf(""), 0.0F, -1.0F, 1e30F}) {
    small_model().real("general.alignment", odd).write(file.path());
    EXPECT_NEAR(static_cast<double>(read_gguf(file.path())->missing), static_cast<double>(weights), 32) << odd;
  }
}

TEST(GgufModel, JoinsTheParts) {
  const TemporaryFile first("m-00001-of-00002.gguf");
  auto head = small_model();
  head.number("split.tensors.count", 3);
  head.write(first.path());
  GgufWriter tail;
  tail.tensor("output.weight", {4096, 32000}, 14).write(first.folder() / "m-00002-of-00002.gguf");
  const auto model = read_gguf_model(first.folder() / "m-00002-of-00002.gguf");
  ASSERT_TRUE(model) << model.error().describe();
  EXPECT_EQ(model->tensors.size(), 3U);
  EXPECT_EQ(model->text("general.architecture"), "llama");
}

TEST(GgufModel, MissesNoPart) {
  const TemporaryFile first("m-00001-of-00002.gguf");
  auto head = small_model();
  head.number("split.tensors.count", 4);
  head.write(first.path());
  EXPECT_THAT(read_gguf_model(first.path()).error().describe(), HasSubstr("m-00002-of-00002.gguf"));
  GgufWriter().tensor("output.weight", {4096, 32000}, 14).write(first.folder() / "m-00002-of-00002.gguf");
  EXPECT_THAT(read_gguf_model(first.path()).error().describe(),
              EndsWith("its parts hold 3 tensors, and 4 are announced"));
}

}  // namespace
}  // namespace dualgpuopt::memory
