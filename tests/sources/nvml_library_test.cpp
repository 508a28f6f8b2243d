#include "sources/nvml_library.h"

#include <gmock/gmock.h>

#include "processes/proc_fixture.h"
#include "sources/nvml_stage.h"

namespace dualgpuopt::memory::nvml {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

bool is_loaded(const std::filesystem::path& library) {
  auto* handle = ::dlopen(library.c_str(), RTLD_NOW | RTLD_NOLOAD);
  if (handle != nullptr) ::dlclose(handle);
  return handle != nullptr;
}

TEST(NvmlLibrary, SaysWhatWasLookedForAndWhatMayBeMissing) {
  const auto library = Library::open("/nowhere/libnvidia-ml.so.1");
  ASSERT_FALSE(library);
  EXPECT_EQ(library.error().code(), ErrorCode::Unavailable);
  EXPECT_THAT(library.error().message(),
              AllOf(HasSubstr("cannot load /nowhere/libnvidia-ml.so.1"), HasSubstr("No such file"),
                    HasSubstr("driver is not installed"), HasSubstr("--gpus")));
}

TEST(NvmlLibrary, LooksForTheUsualNameUnlessToldOtherwise) {
  const auto library = Library::open({});
  EXPECT_TRUE(library || library.error().message().find("cannot load libnvidia-ml.so.1,") == 0)
      << library.error().message();
}

TEST(NvmlLibrary, RefusesAFileThatIsNoLibrary) {
  const fixture::TemporaryTree tree{fixture::file("libnvidia-ml.so.1", "not a library")};
  const auto library = Library::open(tree.root() / "libnvidia-ml.so.1");
  ASSERT_FALSE(library);
  EXPECT_EQ(library.error().code(), ErrorCode::Unavailable);
}

TEST(NvmlLibrary, RefusesALibraryWithoutTheFunctionsNeeded) {
  const auto library = Library::open("libm.so.6");
  ASSERT_FALSE(library);
  EXPECT_EQ(library.error().code(), ErrorCode::Unsupported);
  EXPECT_THAT(
      library.error().message(),
      AllOf(HasSubstr("libm.so.6"), HasSubstr("nvmlInit, nvmlShutdown, nvmlDeviceGetCount, nvmlDeviceGetHandleByIndex, "
                                              "nvmlDeviceGetMemoryInfo")));
}

TEST(NvmlLibrary, UnloadsWhenItGoes) {
  ASSERT_FALSE(is_loaded(fake_nvml_path()));
  {
    auto library = Library::open(fake_nvml_path());
    ASSERT_TRUE(library) << library.error().describe();
    const Library moved(std::move(*library));
    EXPECT_TRUE(is_loaded(fake_nvml_path()));
  }
  EXPECT_FALSE(is_loaded(fake_nvml_path()));
}

TEST(NvmlLibrary, AnswersUninitialisedBeforeInit) {
  const FakeNvml fake{fake_gpu("GPU-1", 8_GiB, 0, 0)};
  const auto library = Library::open(fake.path());
  ASSERT_TRUE(library);
  EXPECT_EQ(library->device_count(), tl::unexpected(Code::Uninitialized));
  EXPECT_EQ(library->shutdown(), Code::Uninitialized);
}

/// The functions that changed their names over the years.
class EveryGeneration : public ::testing::TestWithParam<NvmlGeneration> {};

TEST_P(EveryGeneration, FindsTheFunctionsUnderTheNamesOfItsTime) {
  auto gpu = fake_gpu("GPU-1", 8_GiB, 256_MiB, 1_GiB);
  gpu.pci_domain = 1;
  gpu.pci_bus = 0xAB;
  gpu.pci_device = 0x1F;
  gpu.compute = fake_list({{42, 512_MiB, 3, 4}, {43, ~0ULL, ~0U, ~0U}});
  const Stage stage({gpu}, GetParam());
  const auto& library = stage.library;
  EXPECT_EQ(library.device_count(), 1U);
  const auto device = library.device(0);
  ASSERT_TRUE(device);
  EXPECT_EQ(library.name(*device), "Stand-in GPU");
  EXPECT_EQ(library.uuid(*device), "GPU-1");
  EXPECT_EQ(library.pci_address(*device), "00000001:AB:1F.0");
  const auto memory = library.memory_v1(*device);
  ASSERT_TRUE(memory);
  EXPECT_EQ(memory->total, 8_GiB);
  EXPECT_EQ(memory->used, 1280_MiB);
  const auto compute = library.processes(ProcessListKind::Compute, *device, 8);
  EXPECT_EQ(compute.code, Code::Success);
  ASSERT_THAT(compute.entries, SizeIs(2));
  EXPECT_EQ(compute.entries[0].pid, 42U);
  EXPECT_EQ(compute.entries[0].used, 512_MiB);
  EXPECT_EQ(compute.entries[0].gpu_instance, GetParam() == NvmlGeneration::R418 ? kNoInstance : 3U);
  EXPECT_EQ(compute.entries[1].pid, 43U);
  EXPECT_EQ(compute.entries[1].used, kNotAvailable);
  EXPECT_THAT(library.processes(ProcessListKind::Graphics, *device, 8).entries, IsEmpty());
  EXPECT_EQ(library.shutdown(), Code::Success);
}

INSTANTIATE_TEST_SUITE_P(NvmlLibrary, EveryGeneration,
                         ::testing::Values(NvmlGeneration::R510, NvmlGeneration::R470, NvmlGeneration::R418));

TEST(NvmlLibrary, AnswersFunctionNotFoundForWhatOldLibrariesLack) {
  const Stage stage({fake_gpu("GPU-1", 8_GiB, 0, 0)}, NvmlGeneration::R418);
  const auto& library = stage.library;
  const auto device = stage.gpu(0);
  EXPECT_EQ(library.memory_v2(device).error(), Code::FunctionNotFound);
  EXPECT_EQ(library.mig_slots(device), tl::unexpected(Code::FunctionNotFound));
  EXPECT_EQ(library.mig_instance(device, 0), tl::unexpected(Code::FunctionNotFound));
  EXPECT_FALSE(library.mig_enabled(device));
}

TEST(NvmlLibrary, AsksForTheVersionOfTheMemoryCallThatDriversKnow) {
  const Stage stage{fake_gpu("GPU-1", 8_GiB, 256_MiB, 1_GiB)};
  const auto& library = stage.library;
  const auto memory = library.memory_v2(stage.gpu(0));
  ASSERT_TRUE(memory);
  EXPECT_EQ(memory->total, 8_GiB);
  EXPECT_EQ(memory->reserved, 256_MiB);
  EXPECT_EQ(memory->used, 1_GiB);
  EXPECT_EQ(memory->free, 6912_MiB);
}

TEST(NvmlLibrary, TellsHowMuchRoomAListTakes) {
  auto gpu = fake_gpu("GPU-1", 8_GiB, 0, 0);
  gpu.graphics = fake_list_of(5);
  const Stage stage{gpu};
  const auto& library = stage.library;
  const auto device = stage.gpu(0);
  const auto listing = library.processes(ProcessListKind::Graphics, device, 4);
  EXPECT_EQ(listing.code, Code::InsufficientSize);
  EXPECT_EQ(listing.count, 5U);
  EXPECT_THAT(listing.entries, IsEmpty());
  EXPECT_THAT(library.processes(ProcessListKind::Graphics, device, 5).entries, SizeIs(5));
}

TEST(NvmlLibrary, HandsOnCodesAndTheDriversWords) {
  const Stage stage{fake_gpu("GPU-1", 8_GiB, 0, 0)};
  const auto& library = stage.library;
  EXPECT_EQ(library.device(1), tl::unexpected(Code::InvalidArgument));
  stage.fake.force(kNvmlFakeHandleByIndex, 15);
  EXPECT_EQ(library.device(0), tl::unexpected(Code::GpuIsLost));
  EXPECT_THAT(library.describe(Code::GpuIsLost), HasSubstr("GPU is lost (NVML code 15): "));
}

}  // namespace
}  // namespace dualgpuopt::memory::nvml
