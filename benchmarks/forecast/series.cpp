#include "forecast/series.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <map>
#include <sstream>

#include "core/format.h"
#include "dualgpuopt/memory/sources/trace.h"

namespace dualgpuopt::memory::forecast_benchmark {
namespace {

constexpr std::size_t kFewestSamples = 30;

struct Origin {
  std::string repository;
  std::string shape = "unknown";
};

/// INDEX.csv: a header, then one line a recording; only columns before the free text are used, and those have no
/// commas.
std::map<std::string, Origin> read_index(const std::filesystem::path& file) {
  std::map<std::string, Origin> index;
  std::ifstream input(file);
  std::vector<std::string> header;
  for (std::string line; std::getline(input, line);) {
    std::vector<std::string> fields;
    bool quoted = false;
    std::string field;
    for (const char c : line) {
      if (c == '"') quoted = !quoted;
      if (c == ',' && !quoted) {
        fields.push_back(std::exchange(field, {}));
      } else if (c != '"' && c != '\r') {
        field += c;
      }
    }
    fields.push_back(field);
    if (header.empty()) {
      header = fields;
      continue;
    }
    auto& origin = index[fields.front()];
    for (std::size_t i = 0; i < std::min(fields.size(), header.size()); ++i) {
      if (header[i] == "repo") origin.repository = fields[i];
      if (header[i] == "shape") origin.shape = fields[i];
    }
  }
  return index;
}

std::vector<std::filesystem::path> recordings(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(folder, failed)) {
    const auto name = entry.path().filename().string();
    if (std::isdigit(static_cast<unsigned char>(name[0])) != 0 && entry.path().extension() == ".csv") {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<Series> series_of(const Trace& trace, const std::string& file, Origin origin) {
  std::map<int, Series> by_gpu;
  if (origin.repository.empty()) origin.repository = file;
  for (const auto& reading : trace.readings) {
    if (!reading.memory) continue;
    auto& series = by_gpu[reading.gpu];
    series.samples.push_back(
        {Seconds(reading.time.mono.time_since_epoch()).count(), static_cast<double>(reading.memory->used)});
  }
  std::vector<Series> all;
  for (auto& [gpu, series] : by_gpu) {
    series.file = file;
    series.repository = origin.repository;
    series.shape = origin.shape;
    series.gpu = gpu;
    all.push_back(std::move(series));
  }
  return all;
}

}  // namespace

double Series::median_interval() const {
  if (samples.size() < 2) return 0;
  std::vector<double> intervals;
  for (std::size_t i = 1; i < samples.size(); ++i) intervals.push_back(samples[i].time - samples[i - 1].time);
  const auto middle = intervals.begin() + static_cast<std::ptrdiff_t>((intervals.size() - 1) / 2);
  std::nth_element(intervals.begin(), middle, intervals.end());
  return *middle;
}

Result<std::vector<Series>> load_folder(const std::filesystem::path& folder, double longest_interval) {
  const auto index = read_index(folder / "INDEX.csv");
  std::vector<Series> all;
  for (const auto& path : recordings(folder)) {
    const auto trace = load_trace(path);
    if (!trace) return tl::unexpected(trace.error());
    const auto file = path.filename().string();
    const auto origin = index.find(file);
    auto found = series_of(*trace, file, origin == index.end() ? Origin{} : origin->second);
    if (found.empty() || found.front().median_interval() > longest_interval) continue;
    for (auto& series : found) {
      if (series.samples.size() >= kFewestSamples) all.push_back(std::move(series));
    }
  }
  if (all.empty()) {
    return tl::unexpected(
        Error(ErrorCode::NotFound, format_text("no recording in {} is long and dense enough", folder.string())));
  }
  return all;
}

}  // namespace dualgpuopt::memory::forecast_benchmark
