#include "job/run_record.h"

#include <fmt/ranges.h>

#include <csignal>
#include <cstring>

#include "core/format.h"
#include "metrics/json_fields.h"

namespace dualgpuopt::memory::job {
namespace {

constexpr int kSignalled = 128;

std::string describe_end(const CommandEnd& end) {
  if (end.signal == 0) return format_text("exited with code {}", end.code);
  return format_text("was ended by signal {} ({})", end.signal, ::strsignal(end.signal));
}

std::string describe_termination(const RunRecord& record) {
  if (!record.terminated_for) return "";
  return format_text("it was terminated by {} because it held {} of a budget of {}{}\n",
                     record.killed ? "SIGKILL" : "SIGTERM", format_bytes(record.terminated_for->used),
                     format_bytes(record.terminated_for->budget),
                     record.terminated_for->gpu ? format_text(" on GPU {}", *record.terminated_for->gpu) : "");
}

std::string describe_peaks(const RunRecord& record) {
  std::vector<std::string> parts;
  for (const auto& [gpu, peak] : record.peak_by_gpu) {
    parts.push_back(format_text("GPU {} {} after {}", gpu, format_bytes(peak.used), format_duration(peak.at)));
  }
  const auto label = record.provenance == Provenance::Driver ? "" : format_text(", {}", to_string(record.provenance));
  return format_text("peak GPU memory {} after {} ({}), as {} samples from {} saw it{}\n",
                     format_bytes(record.peak->used), format_duration(record.peak->at), fmt::join(parts, ", "),
                     record.samples, record.source, label);
}

std::string describe_memory(const RunRecord& record) {
  if (!record.peak) return format_text("GPU memory was not measured: {}\n", record.not_measured);
  auto text = describe_peaks(record);
  if (record.unknown_for > Duration::zero()) {
    text +=
        format_text("for {} not all of it was known: {}\n", format_duration(record.unknown_for), record.unknown_reason);
  }
  return text;
}

std::string describe_pressure(const RunRecord& record) {
  if (record.pressures == 0 && record.pressure_runs == 0) return "";
  return format_text("GPUs were short of memory {} times; the pressure command ran {} times\n", record.pressures,
                     record.pressure_runs);
}

JsonRecord peak_records(const RunRecord& record) {
  auto peaks = JsonRecord::array();
  for (const auto& [gpu, peak] : record.peak_by_gpu) {
    peaks.push_back({{"gpu", gpu}, {"peak_bytes", peak.used}, {"peak_s", rounded_seconds(Seconds(peak.at).count())}});
  }
  return peaks;
}

JsonRecord limit_record(const std::optional<Limit>& limit) {
  if (!limit) return nullptr;
  return {{"gpu", or_null(limit->gpu)}, {"used_bytes", limit->used}, {"budget_bytes", limit->budget}};
}

JsonRecord budget_record(const Budget& budget) {
  if (budget == Budget{}) return nullptr;
  auto by_gpu = JsonRecord::object();
  for (const auto& [gpu, bytes] : budget.by_gpu) by_gpu[std::to_string(gpu)] = bytes;
  return {{"total_bytes", or_null(budget.total)}, {"by_gpu_bytes", by_gpu}};
}

std::string_view name_of_end(const RunRecord& record) {
  if (record.terminated_for) return "budget";
  return record.end.signal == 0 ? "exit" : "signal";
}

}  // namespace

int RunRecord::exit_code() const {
  if (terminated_for) return kSignalled + (killed ? SIGKILL : SIGTERM);
  return end.signal == 0 ? end.code : kSignalled + end.signal;
}

std::string describe(const RunRecord& record) {
  std::string text =
      format_text("{} {} after {}\n", record.command.front(), describe_end(record.end), format_duration(record.wall));
  text += describe_termination(record) + describe_memory(record) + describe_pressure(record);
  if (record.still_running > 0) {
    text += format_text("{} processes that it started go on; they are not watched any more\n", record.still_running);
  }
  return text;
}

std::string to_json(const RunRecord& record) {
  auto json = start_record("run", record.ended);
  json["provenance"] = record.source.empty() ? JsonRecord(nullptr) : JsonRecord(to_string(record.provenance));
  json["command"] = record.command;
  json["job"] = record.job;
  json["priority"] = or_null(record.priority);
  json["exit_code"] = record.exit_code();
  json["end"] = name_of_end(record);
  json["command_code"] = record.end.signal == 0 ? JsonRecord(record.end.code) : JsonRecord(nullptr);
  json["command_signal"] = record.end.signal == 0 ? JsonRecord(nullptr) : JsonRecord(record.end.signal);
  json["wall_s"] = rounded_seconds(Seconds(record.wall).count());
  json["source"] = or_null(record.source);
  json["peak_bytes"] = record.peak ? JsonRecord(record.peak->used) : JsonRecord(nullptr);
  json["peak_s"] = record.peak ? JsonRecord(rounded_seconds(Seconds(record.peak->at).count())) : JsonRecord(nullptr);
  json["gpus"] = peak_records(record);
  json["samples"] = record.samples;
  json["unknown_s"] = rounded_seconds(Seconds(record.unknown_for).count());
  json["reason"] = or_null(record.peak ? record.unknown_reason : record.not_measured);
  json["budget"] = budget_record(record.budget);
  json["terminated_for"] = limit_record(record.terminated_for);
  json["pressures"] = record.pressures;
  json["pressure_runs"] = record.pressure_runs;
  json["still_running"] = record.still_running;
  return dump(json);
}

}  // namespace dualgpuopt::memory::job
