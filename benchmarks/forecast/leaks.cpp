// Measures the leak detector: how long leaks of every speed take to be told, and how often it tells of one in
// recordings.

#include <CLI/CLI.hpp>
#include <random>

#include "core/format.h"
#include "dualgpuopt/memory/predictor/leak_detector.h"
#include "forecast/series.h"

namespace {

using namespace dualgpuopt::memory;
using namespace dualgpuopt::memory::forecast_benchmark;

constexpr double kLongestHours = 24;

MonoTime at(double seconds) { return MonoTime(std::chrono::duration_cast<Duration>(Seconds(seconds))); }

/// Hours until a leak is told, a sample a second under so much even noise; empty if that takes longer than a day.
std::optional<double> delay_hours(double bytes_per_second, double noise, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  LeakDetector detector;
  for (int second = 0; second < kLongestHours * 3600; ++second) {
    const double jitter = noise * static_cast<double>(random() >> 11) * 0x1p-53;
    detector.add(at(second), static_cast<Bytes>(0x1p33 + bytes_per_second * second + jitter));
    if (detector.leak()) return second / 3600.0;
  }
  return std::nullopt;
}

void print_delays() {
  print_text(stdout, "| leak | no noise | 100 MiB of noise | 1 GiB of noise |\n|---|---|---|---|\n");
  for (const double mib_an_hour : {10.0, 100.0, 1e3, 1e4, 1e5, 1e6, 3'686'400.0}) {
    print_text(stdout, "| {}/h ", format_bytes(static_cast<Bytes>(mib_an_hour * 0x1p20)));
    for (const double noise : {0.0, 0x1p20 * 100, 0x1p30}) {
      const auto hours = delay_hours(mib_an_hour * 0x1p20 / 3600, noise, 1);
      print_text(stdout, "| {} ", hours ? format_text("{:.2f} h", *hours) : "not in a day");
    }
    print_text(stdout, "|\n");
  }
}

void print_recordings(const std::vector<Series>& all) {
  print_text(stdout,
             "\n| recording | GPU | shape | hours | times told | share of the time |\n|---|---|---|---|---|---|\n");
  for (const auto& series : all) {
    LeakDetector detector;
    std::size_t told = 0;
    std::size_t samples = 0;
    bool before = false;
    for (const auto& sample : series.samples) {
      detector.add(at(sample.time), static_cast<Bytes>(sample.used));
      const bool now = detector.leak().has_value();
      if (now && !before) ++told;
      if (now) ++samples;
      before = now;
    }
    const double hours = (series.samples.back().time - series.samples.front().time) / 3600;
    print_text(stdout, "| {} | {} | {} | {:.1f} | {} | {:.3f} |\n", series.file, series.gpu, series.shape, hours, told,
               static_cast<double>(samples) / static_cast<double>(series.samples.size()));
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::string folder;
  CLI::App app("Measures the leak detector on made leaks, and on a folder of recordings if one is given");
  app.add_option("FOLDER", folder, "Recordings, [0-9]*.csv");
  CLI11_PARSE(app, argc, argv);
  print_delays();
  if (folder.empty()) return 0;
  const auto all = load_folder(folder, 100);
  if (!all) {
    print_text(stderr, "leak_report: {}\n", all.error().describe());
    return 1;
  }
  print_recordings(*all);
  return 0;
}
