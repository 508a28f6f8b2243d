#include "dualgpuopt/memory/sources/recording.h"

#include <algorithm>
#include <memory>

#include "core/format.h"
#include "dualgpuopt/memory/metrics/json.h"
#include "sources/trace_csv.h"

namespace dualgpuopt::memory {
namespace {

std::string csv_line(const Reading& reading, Duration since_first) {
  const auto& memory = *reading.memory;
  const auto total = memory.total ? std::to_string(*memory.total) : std::string();
  return format_text("{:.3f},{},{},{}\n", Seconds(since_first).count(), reading.gpu, memory.occupied(), total);
}

std::string json_line(Reading reading, MonoTime origin) {
  reading.time.mono = MonoTime(std::max(reading.time.mono - origin, Duration::zero()));
  if (reading.processes) {
    auto list = std::make_shared<ProcessList>(*reading.processes);
    list->time.mono = MonoTime(list->time.mono - origin);
    reading.processes = std::move(list);
  }
  return to_json(reading) + "\n";
}

}  // namespace

std::string RecordingFormatter::header(const std::vector<Device>& devices) const {
  if (form_ == RecordingForm::Csv) return std::string(kTraceCsvHeader) + "\n";
  std::string lines;
  for (const auto& device : devices) lines += to_json(device) + "\n";
  return lines;
}

std::string RecordingFormatter::line(const Reading& reading) {
  if (form_ == RecordingForm::Csv && !reading.ok()) return {};
  if (!origin_) origin_ = reading.time.mono;
  if (form_ == RecordingForm::JsonLines) return json_line(reading, *origin_);
  return csv_line(reading, std::max(reading.time.mono - *origin_, Duration::zero()));
}

}  // namespace dualgpuopt::memory
