#include "python_source.h"

namespace dualgpuopt::memory::python {
namespace {

/// Why there is no answer of the kind that was asked for.
std::string complaint(const Answer& answer) {
  const auto* text = std::get_if<std::string>(&answer);
  return text != nullptr ? *text : "the source gave an answer to another question";
}

}  // namespace

Result<std::vector<Device>> PythonSource::enumerate() {
  auto answer = exchange_->ask(EnumerateQuestion{});
  if (auto* devices = std::get_if<std::vector<Device>>(&answer)) return std::move(*devices);
  return fail(ErrorCode::Unavailable, complaint(answer));
}

Result<void> PythonSource::release() {
  const auto answer = exchange_->ask(ReleaseQuestion{});
  if (std::holds_alternative<std::vector<Device>>(answer)) return {};
  return fail(ErrorCode::Unavailable, complaint(answer));
}

Reading PythonSource::read(int gpu, ReadDetail detail) {
  auto answer = exchange_->ask(ReadQuestion{gpu, detail});
  const auto time = clock_.stamp();
  auto* reading = std::get_if<Reading>(&answer);
  if (reading == nullptr) return Reading::unavailable(gpu, time, provenance_, complaint(answer));
  reading->gpu = gpu;
  reading->time = time;
  reading->provenance = provenance_;
  if (!reading->processes) return std::move(*reading);
  auto processes = std::make_shared<ProcessList>(*reading->processes);
  processes->time = time;
  reading->processes = std::move(processes);
  return std::move(*reading);
}

}  // namespace dualgpuopt::memory::python
