#include "oom/scanned.h"

namespace dualgpuopt::memory {
namespace {

TEST(PyTorch, UpTo13CachedIsBeyondAllocated) {
  // pytorch/pytorch issue 16417
  const auto error = only_error(
      "RuntimeError: CUDA out of memory. Tried to allocate 12.50 MiB (GPU 0; 10.92 GiB total capacity; 8.57 MiB "
      "already "
      "allocated; 9.28 GiB free; 4.68 MiB cached)");
  EXPECT_EQ(error.source, OomSource::PyTorch);
  EXPECT_EQ(error.backend, OomBackend::Cuda);
  EXPECT_EQ(error.gpu, 0);
  EXPECT_TRUE(error.fatal);
  EXPECT_EQ(error.requested, mib(12.5));
  EXPECT_EQ(error.total, gib(10.92));
  EXPECT_EQ(error.free, gib(9.28));
  EXPECT_EQ(error.allocated, mib(8.57));
  EXPECT_EQ(error.reserved_unused, mib(4.68));
  EXPECT_EQ(error.reserved, mib(8.57) + mib(4.68));
  EXPECT_EQ(error.era, PyTorchEra::Cached);
}

TEST(PyTorch, From14ReservedContainsAllocated) {
  // rshaojimmy/MADDoG issue 11
  const auto error = only_error(
      "CUDA out of memory. Tried to allocate 2.87 GiB (GPU 0; 14.76 GiB total capacity; 8.77 GiB already allocated; "
      "19.75 MiB free; 13.71 GiB reserved in total by PyTorch)");
  EXPECT_EQ(error.reserved, gib(13.71));
  EXPECT_EQ(error.era, PyTorchEra::Brackets);
  EXPECT_EQ(error.reserved_unused, gib(13.71) - gib(8.77));
  EXPECT_EQ(error.derived, (std::vector<std::string>{"unused_bytes", "elsewhere_bytes"}));
}

TEST(PyTorch, From21InSentences) {
  // Synthintel0/MyGirlGPT issue 11
  const auto error = only_error(
      "torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 32.00 MiB. GPU 0 has a total capacty of 4.00 "
      "GiB of which 41.56 MiB is free. Including non-PyTorch memory, this process has 3.44 GiB memory in use. Of the "
      "allocated memory 2.58 GiB is allocated by PyTorch, and 1.90 MiB is reserved by PyTorch but unallocated.");
  EXPECT_EQ(error.total, 4_GiB);
  EXPECT_EQ(error.free, mib(41.56));
  EXPECT_EQ(error.era, PyTorchEra::Sentences);
  EXPECT_EQ(error.process, gib(3.44));
  EXPECT_EQ(error.allocated, gib(2.58));
  EXPECT_EQ(error.reserved_unused, mib(1.9));
  EXPECT_EQ(error.elsewhere, 4_GiB - mib(41.56) - gib(3.44));
  EXPECT_TRUE(error.others.empty());
}

constexpr std::string_view kTwoProcesses =
    "[rank3]: torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 26.00 MiB. GPU 3 has a total capacity of "
    "23.69 GiB of which 5.00 MiB is free. Process 1234 has 20.10 GiB memory in use. Including non-PyTorch memory, this "
    "process has 3.50 GiB memory in use. Of the allocated memory 3.00 GiB is allocated by PyTorch, with 17.00 MiB "
    "allocated in private pools (e.g., CUDA Graphs), and 100.00 MiB is reserved by PyTorch but unallocated.";

TEST(PyTorch, NamesOtherProcesses) {
  const auto error = only_error(kTwoProcesses);
  EXPECT_EQ(error.gpu, 3);
  EXPECT_EQ(error.others, (std::vector<OomProcess>{{1234, gib(20.1), false}}));
  EXPECT_EQ(error.process, gib(3.5));
  EXPECT_EQ(error.private_pools, 17_MiB);
  EXPECT_EQ(error.allocated, 3_GiB);
}

TEST(PyTorch, AProcessOfTheRightSizeMayBeThisOneInsideAContainer) {
  const auto error = only_error(
      "CUDA out of memory. Tried to allocate 1.00 GiB. GPU 0 has a total capacity of 23.69 GiB of which 5.00 MiB is "
      "free. Process 4321 has 20.10 GiB memory in use. Process 99 has 3.50 GiB memory in use. Of the allocated memory "
      "19.00 GiB is allocated by PyTorch, and 100.00 MiB is reserved by PyTorch but unallocated.");
  ASSERT_EQ(error.others.size(), 2U);
  EXPECT_TRUE(error.others[0].may_be_this);
  EXPECT_FALSE(error.others[1].may_be_this);
  EXPECT_EQ(error.elsewhere, gib(23.69) - 5_MiB - gib(19) - 100_MiB) << "beside its allocator";
}

TEST(PyTorch, AProcessWithoutASizeIsSaidToBeSo) {
  const auto error = only_error(
      "CUDA out of memory. Tried to allocate 1.00 GiB. GPU 0 has a total capacity of 8.00 GiB of which 1.00 MiB is "
      "free. Process 7 has 17179869184.00 GiB memory in use. Of the allocated memory 1.00 GiB is allocated by PyTorch");
  EXPECT_EQ(error.others, (std::vector<OomProcess>{{7, std::nullopt, false}}));
  EXPECT_EQ(error.implausible, (std::vector<std::string>{"others"}));
}

TEST(PyTorch, WrappedOverSeveralLines) {
  const auto error = only_error(
      "[rank0]: torch.OutOfMemoryError: XPU out of memory. Tried to allocate 20.00 MiB.\r\n"
      "[rank0]: GPU 0 has a total capacity of 11.93 GiB of which 5.62\r\n"
      "[rank0]: MiB is free. Of the allocated memory 10.43 GiB is allocated by PyTorch,\r\n"
      "[rank0]: and 94.57 MiB is reserved by PyTorch but unallocated.\r\n");
  EXPECT_EQ(error.backend, OomBackend::Xpu);
  EXPECT_EQ(error.free, mib(5.62));
  EXPECT_EQ(error.reserved_unused, mib(94.57));
}

TEST(PyTorch, WithALimit) {
  const auto error = only_error(
      "HIP out of memory. Tried to allocate 2.00 MiB. GPU 7 has a total capacity of 287.98 GiB of which 275.86 GiB is "
      "free. 1.05 GiB allowed; Of the allocated memory 1017.01 MiB is allocated by PyTorch, and 54.99 MiB is reserved "
      "by PyTorch but unallocated.");
  EXPECT_EQ(error.backend, OomBackend::Hip);
  EXPECT_EQ(error.gpu, 7);
  EXPECT_EQ(error.limit, gib(1.05));
}

TEST(PyTorch, CudaMallocAsync) {
  const auto error = only_error(
      "torch.OutOfMemoryError: Allocation on device 0 would exceed allowed memory. (out of memory)\n"
      "Currently allocated     : 9.43 GiB\nRequested               : 640.00 MiB\nDevice limit            : 11.59 GiB\n"
      "Free (according to CUDA): 7.12 MiB\nPyTorch limit (set by user-supplied memory fraction)\n"
      "                        : 17179869184.00 GiB\n");
  EXPECT_EQ(error.requested, 640_MiB);
  EXPECT_EQ(error.allocated, gib(9.43));
  EXPECT_EQ(error.total, gib(11.59));
  EXPECT_EQ(error.free, mib(7.12));
  EXPECT_FALSE(error.limit);
  EXPECT_TRUE(error.implausible.empty());
}

TEST(PyTorch, OnAppleAndOnTheHost) {
  const auto mps = only_error(
      "MPS backend out of memory (MPS allocated: 5.05 GB, other allocations: 2.31 GB, max allowed: 6.77 GB). Tried to "
      "allocate 1024.00 MB on private pool.");
  EXPECT_EQ(mps.backend, OomBackend::Mps);
  EXPECT_EQ(mps.requested, 1_GiB);
  EXPECT_EQ(mps.limit, gib(6.77));
  EXPECT_EQ(mps.elsewhere, gib(2.31));
  const auto host = only_error(
      "RuntimeError: [enforce fail at alloc_cpu.cpp:73] . DefaultCPUAllocator: can't allocate memory: you tried to "
      "allocate 8589934592 bytes. Error code 12 (Cannot allocate memory)");
  EXPECT_EQ(host.backend, OomBackend::Host);
  EXPECT_EQ(host.requested, 8_GiB);
}

TEST(PyTorch, ANumberThatIsCutOffIsUnknown) {
  const auto error = only_error("CUDA out of memory. Tried to allocate -5.00 MiB (GPU 0; 1.");
  EXPECT_FALSE(error.requested);
  EXPECT_EQ(error.implausible, (std::vector<std::string>{"requested_bytes"}));
  EXPECT_FALSE(error.total);
}

TEST(PyTorch, CodeAndAdviceThatNameTheErrorAreNone) {
  EXPECT_TRUE(scanned("    if \"CUDA out of memory\" in str(e):\n").empty());
  EXPECT_TRUE(scanned("lower the batch size to avoid CUDA out of memory errors\n").empty());
  EXPECT_TRUE(scanned("except torch.cuda.OutOfMemoryError:\n").empty());
  EXPECT_TRUE(scanned("  print(\"CUDA out of memory\")\n").empty());
}

TEST(PyTorch, WithoutAnythingFree) {
  // carolchenyx/MGFN. issue 35
  const auto error = only_error(
      "CUDA out of memory. Tried to allocate 1.70 GiB. GPU 0 has a total capacty of 6.00 GiB of which 0 bytes is free. "
      "Of the allocated memory 2.93 GiB is allocated by PyTorch, and 2.30 GiB is reserved by PyTorch but unallocated.");
  EXPECT_EQ(error.free, Bytes{0});
  EXPECT_EQ(error.total, 6_GiB);
  EXPECT_TRUE(error.implausible.empty());
}

TEST(PyTorch, ASizeThatNoMachineHas) {
  const auto error = only_error("CUDA out of memory. Tried to allocate 37252.90 GiB (GPU 0; 23.65 GiB total capacity;");
  EXPECT_TRUE(is_implausible(error, "requested_bytes"));
  EXPECT_EQ(error.total, gib(23.65));
}

TEST(PyTorch, OnOtherDevices) {
  const auto npu = only_error(
      "RuntimeError: NPU out of memory. Tried to allocate 2.00 GiB (NPU 3; 60.97 GiB total capacity; 56.20 GiB already "
      "allocated; 56.20 GiB current active; 1.28 GiB free; 58.30 GiB reserved in total by PyTorch)");
  EXPECT_EQ(npu.backend, OomBackend::Npu);
  EXPECT_EQ(npu.gpu, 3);
  EXPECT_EQ(npu.free, gib(1.28));
  const auto directml = only_error(
      "RuntimeError: Could not allocate tensor with 16777216 bytes. There is not enough GPU video memory available!");
  EXPECT_EQ(directml.backend, OomBackend::DirectMl);
  EXPECT_EQ(directml.requested, 16_MiB);
  const auto mps = only_error("RuntimeError: Invalid buffer size: 58.25 GB");
  EXPECT_EQ(mps.backend, OomBackend::Mps);
  EXPECT_EQ(mps.requested, gib(58.25));
}

TEST(PyTorch, WhatIsTriedAgainIsNotFatal) {
  EXPECT_FALSE(
      only_error("Warning: Ran out of memory when regular VAE decoding, retrying with tiled VAE decoding.").fatal);
}

TEST(PyTorch, TheOldHostAllocator) {
  EXPECT_TRUE(
      only_error("RuntimeError: $ Torch: not enough memory: you tried to allocate 2GB. Buy new RAM!").is_host());
}

TEST(PyTorch, AnOverflowIsImplausible) {
  EXPECT_TRUE(
      is_implausible(only_error("CUDA out of memory. Tried to allocate more than 1EB memory."), "requested_bytes"));
}

}  // namespace
}  // namespace dualgpuopt::memory
