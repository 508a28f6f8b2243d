#include "dualgpuopt/memory/metrics/leak.h"

#include <gtest/gtest.h>

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;

TEST(Leak, ReadsAsASentence) {
  const LeakEstimate estimate{0x1p20 * 12 / 60, 0.998, 340_MiB, Seconds(28 * 60)};
  EXPECT_EQ((Leak{{}, {}, "", estimate}.text()), "leaks 12 MiB/min: 340 MiB in 28 min 00 s (99.8 % sure)");
  EXPECT_EQ((Leak{4242, 7, "python3", {0x1p20 * 10 / 3600, 0.995, 60_MiB, Seconds(6 * 3600)}}.text()),
            "process 4242 (python3) leaks 10 MiB/h: 60 MiB in 6 h 00 min (99.5 % sure)");
}

TEST(Leak, IsOneJsonLine) {
  const Leak leak{4242, 7, "python3", {1024, 0.99951, 60_MiB, Seconds(600)}};
  EXPECT_EQ(to_json(leak, 1, {MonoTime(60s), std::nullopt}, Provenance::Driver),
            R"~({"schema":1,"type":"leak","t":60.0,"time":null,"gpu":1,"provenance":"driver","pid":4242,)~"
            R"~("start_ticks":7,"name":"python3","bytes_per_second":1024,"confidence":0.9995,)~"
            R"~("grown_bytes":62914560,"lasting_s":600.0,)~"
            R"~("text":"process 4242 (python3) leaks 4 MiB/h: 60 MiB in 10 min 00 s (99.9 % sure)"})~");
}

}  // namespace
}  // namespace dualgpuopt::memory
