#include "dualgpuopt/memory/models/safetensors.h"

#include <gmock/gmock.h>

#include "models/gguf_writer.h"

namespace dualgpuopt::memory {
namespace {

using ::testing::HasSubstr;
using testing::TemporaryFile;

void write(const std::filesystem::path& file, const std::string& header, std::size_t data) {
  std::ofstream stream(file, std::ios::binary);
  const std::uint64_t length = header.size();
  stream.write(reinterpret_cast<const char*>(&length), sizeof(length));
  stream << header << std::string(data, '\0');
}

std::string refusal(const std::string& header, std::size_t data = 100) {
  const TemporaryFile file("m.safetensors");
  write(file.path(), header, data);
  const auto tensors = read_safetensors(file.path());
  return tensors ? "it was read" : tensors.error().describe();
}

TEST(Safetensors, AreReadByTheirOffsets) {
  const TemporaryFile file("m.safetensors");
  write(file.path(), R"({"__metadata__":{"format":"pt"},"a":{"dtype":"BF16","shape":[2,5],"data_offsets":[0,20]},
                         "b":{"dtype":"F32","shape":[20],"data_offsets":[20,100]}})",
        100);
  const auto tensors = read_safetensors(file.path());
  ASSERT_TRUE(tensors) << tensors.error().describe();
  ASSERT_EQ(tensors->size(), 2U);
  EXPECT_EQ(tensors->at(0).name, "a");
  EXPECT_EQ(tensors->at(0).type, "BF16");
  EXPECT_EQ(tensors->at(0).bytes, 20U);
  EXPECT_EQ(tensors->at(1).bytes, 80U);
}

TEST(Safetensors, AreRefusedWhereTheHeaderLies) {
  EXPECT_THAT(refusal("[]"), HasSubstr("this is no safetensors file"));
  EXPECT_THAT(refusal("{"), HasSubstr("this is no safetensors file"));
  EXPECT_THAT(refusal(R"({"a":{"data_offsets":[0,101]}})"),
              HasSubstr("tensor a has no offsets that lie within the file's 100 bytes"));
  EXPECT_THAT(refusal(R"({"a":{"data_offsets":[50,40]}})"), HasSubstr("tensor a"));
  EXPECT_THAT(refusal(R"({"a":{"data_offsets":[0]}})"), HasSubstr("tensor a"));
  EXPECT_THAT(refusal(R"({"a":{"data_offsets":[-1,4]}})"), HasSubstr("tensor a"));
  EXPECT_THAT(refusal(R"({"a":7})"), HasSubstr("tensor a"));
  EXPECT_THAT(refusal(std::string(100000, '[')), HasSubstr("this is no safetensors file"));
  EXPECT_THAT(refusal(R"({"a":{"dtype":"F16","shape":[-4,4],"data_offsets":[0,32]}})"), HasSubstr("no shape"));
  EXPECT_THAT(refusal(R"({"a":{"dtype":"F16","shape":[4.5],"data_offsets":[0,9]}})"), HasSubstr("no shape"));
  EXPECT_THAT(refusal(R"({"a":{"dtype":"BF16","shape":[4096,4096],"data_offsets":[0,2]}})"),
              HasSubstr("tensor a has 16777216 elements of BF16, which are 33554432 bytes, and its offsets are 2"));
}

TEST(Safetensors, ReserveNothingForALengthThatIsOnlyClaimed) {
  const TemporaryFile file("m.safetensors");
  std::ofstream(file.path(), std::ios::binary) << "\xff\xff\xff\xff\xff\xff\xff\x7f{}";
  EXPECT_THAT(read_safetensors(file.path()).error().describe(), HasSubstr("the file ends within the header"));
  write(file.path(), std::string((16U << 20) + 1, ' '), 0);
  EXPECT_THAT(read_safetensors(file.path()).error().describe(), HasSubstr("at most 16777216 are expected"));
}

TEST(Safetensors, OfAFolderAreJoined) {
  const TemporaryFile first("model-00001-of-00002.safetensors");
  EXPECT_EQ(read_safetensors_model(first.folder()).error().code(), ErrorCode::NotFound);
  write(first.path(), R"({"a":{"dtype":"I8","shape":[10],"data_offsets":[0,10]}})", 10);
  write(first.folder() / "model-00002-of-00002.safetensors",
        R"({"b":{"dtype":"F16","shape":[2,5],"data_offsets":[0,20]}})", 20);
  std::ofstream(first.folder() / "notes.txt") << "nothing";
  const auto tensors = read_safetensors_model(first.folder());
  ASSERT_TRUE(tensors);
  EXPECT_EQ(tensors->size(), 2U);
}

TEST(Safetensors, OfAFolderAreAllThatItsIndexNames) {
  const TemporaryFile first("model-00001-of-00002.safetensors");
  write(first.path(), R"({"a":{"dtype":"I8","shape":[10],"data_offsets":[0,10]}})", 10);
  const auto index = first.folder() / "model.safetensors.index.json";
  std::ofstream(index)
      << R"({"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"}})";
  EXPECT_THAT(read_safetensors_model(first.folder()).error().describe(),
              HasSubstr("model-00002-of-00002.safetensors\", which has tensor b by the model's index, is not there"));
  std::ofstream(index) << R"({"weight_map":{"a":"model-00001-of-00002.safetensors"}})";
  EXPECT_TRUE(read_safetensors_model(first.folder()));
  std::ofstream(index) << "{}";
  EXPECT_THAT(read_safetensors_model(first.folder()).error().describe(), HasSubstr("weight_map"));
  std::ofstream(index) << "{";
  EXPECT_THAT(read_safetensors_model(first.folder()).error().describe(),
              HasSubstr("index.json: this is not JSON: line 1, column 2"));
}

TEST(SafetensorsWeights, AreSortedByTheNamesOfTransformers) {
  const auto weights =
      weights_of(std::vector<SafetensorsTensor>{{"model.embed_tokens.weight", "BF16", 100},
                                                {"model.layers.0.self_attn.q_proj.weight", "BF16", 10},
                                                {"model.layers.1.mlp.experts.7.up_proj.weight", "BF16", 20},
                                                {"transformer.h.1.ln_1.weight", "F32", 1},
                                                {"model.norm.weight", "BF16", 2},
                                                {"lm_head.weight", "BF16", 50}});
  EXPECT_EQ(weights.input, 100U);
  EXPECT_EQ(weights.layers, (std::vector<Bytes>{10, 21}));
  EXPECT_EQ(weights.experts, (std::vector<Bytes>{0, 20}));
  EXPECT_EQ(weights.output, 52U);
  EXPECT_FALSE(weights.tied);
}

}  // namespace
}  // namespace dualgpuopt::memory
