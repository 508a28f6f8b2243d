// Measures forecasts over a folder of recordings: ours beside what people use today.
#include <CLI/CLI.hpp>
#include <fstream>

#include "core/format.h"
#include "forecast/report.h"
#include "forecast/workloads.h"

namespace {

using namespace dualgpuopt::memory::forecast_benchmark;
using dualgpuopt::memory::print_text;
using dualgpuopt::memory::Result;

struct Options {
  std::string folder;
  double horizon = 60;
  double longest_interval = 20;
  int resamples = 1000;
  bool details = false;
  std::string picture;
};

int run(const Options& options) {
  auto series = options.folder.empty() ? Result<std::vector<Series>>(made_workloads(1))
                                       : load_folder(options.folder, options.longest_interval);
  if (!series) {
    print_text(stderr, "forecast_report: {}\n", series.error().describe());
    return 1;
  }
  const auto measurement = measure(std::move(*series), options.horizon);
  print_text(stdout, "{} series of {}, horizon {:g} s\n\n{}{}", measurement.series.size(),
             options.folder.empty() ? "made workloads" : options.folder, options.horizon,
             comparison(measurement, options.resamples), ceiling(measurement));
  if (options.details) print_text(stdout, "{}", breakdown(measurement));
  if (options.picture.empty()) return 0;
  std::ofstream file(options.picture);
  file << picture(measurement);
  if (file.flush()) return 0;
  print_text(stderr, "forecast_report: {} cannot be written\n", options.picture);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Measures forecasts over a folder of recordings (t_s,gpu,used_bytes,total_bytes)");
  app.add_option("FOLDER", options.folder,
                 "Its [0-9]*.csv; INDEX.csv tells repositories and shapes. Without one: made workloads");
  app.add_option("--horizon", options.horizon, "Seconds")->check(CLI::PositiveNumber);
  app.add_option("--max-interval", options.longest_interval,
                 "Seconds between samples; coarser recordings are left out");
  app.add_option("--resamples", options.resamples, "Of the bootstrap intervals")->check(CLI::NonNegativeNumber);
  app.add_flag("--details", options.details, "By recording, by shape, and with each repository left out");
  app.add_option("--picture", options.picture, "Write recall and lead against false alarms, as an SVG");
  CLI11_PARSE(app, argc, argv);
  return run(options);
}
