#include "oom/scanned.h"

namespace dualgpuopt::memory {
namespace {

TEST(Xla, PrefersTheExactBytes) {
  // ecmwf-lab/ai-models-graphcast issue 18
  const auto error = only_error(
      "jaxlib.xla_extension.XlaRuntimeError: RESOURCE_EXHAUSTED: Failed to allocate request for 2.99GiB (3206250496B) "
      "on "
      "device ordinal 0");
  EXPECT_EQ(error.source, OomSource::Jax);
  EXPECT_EQ(error.requested, 3206250496);
  EXPECT_EQ(error.gpu, 0);
}

TEST(Xla, InOlderAndNewerWords) {
  EXPECT_EQ(only_error("Resource exhausted: Out of memory while trying to allocate 5520758552 bytes.").requested,
            5520758552);
  EXPECT_EQ(
      only_error("XlaRuntimeError: RESOURCE_EXHAUSTED: Out of memory while trying to allocate 5.00GiB.").requested,
      5_GiB);
  EXPECT_EQ(only_error("RESOURCE_EXHAUSTED: Out of memory allocating 17179869184 bytes.").requested, 16_GiB);
}

TEST(Xla, OnATpu) {
  const auto error = only_error(
      "RESOURCE_EXHAUSTED: Ran out of memory in memory space hbm. Used 17.21G of 15.48G hbm. Exceeded hbm capacity by "
      "1.73G.");
  EXPECT_EQ(error.backend, OomBackend::Tpu);
  EXPECT_EQ(error.requested, gib(17.21));
  EXPECT_EQ(error.total, gib(15.48));
  const auto buffer = only_error(
      "RESOURCE_EXHAUSTED: Error allocating device buffer: Attempting to allocate 9.77G. That was not possible. There "
      "are 9.42G free.; (0x0x0_HBM0)");
  EXPECT_EQ(buffer.requested, gib(9.77));
  EXPECT_EQ(buffer.free, gib(9.42));
}

TEST(Xla, OtherResourcesThanMemoryAreNone) {
  EXPECT_TRUE(scanned("grpc: RESOURCE_EXHAUSTED: received message larger than max (5 vs. 4)").empty());
}

TEST(Xla, WhatRematerializationCannotReduceIsNotFatal) {
  const auto error = only_error(
      "W hlo_rematerialization.cc:2941] Can't reduce memory use below 38.00GiB (40802189312 bytes) by "
      "rematerialization; "
      "only reduced to 45.00GiB (48318382080 bytes)");
  EXPECT_FALSE(error.fatal);
  EXPECT_EQ(error.requested, 45_GiB);
  EXPECT_EQ(error.limit, 38_GiB);
}

}  // namespace
}  // namespace dualgpuopt::memory
