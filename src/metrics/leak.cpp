#include "dualgpuopt/memory/metrics/leak.h"

#include <algorithm>

#include "core/format.h"
#include "metrics/json_fields.h"

namespace dualgpuopt::memory {
namespace {

constexpr int kConfidenceDecimals = 4;
constexpr double kSurest = 99.9;  // percent, in words: nobody is entirely sure

std::string pace(double bytes_per_second) {
  const double a_minute = std::clamp(60 * bytes_per_second, 0.0, 0x1p62);
  const double an_hour = std::min(60 * a_minute, 0x1p62);
  if (a_minute >= 0x1p20) return format_bytes(static_cast<Bytes>(a_minute)) + "/min";
  return format_bytes(static_cast<Bytes>(an_hour)) + "/h";
}

}  // namespace

std::string Leak::text() const {
  const auto who = pid ? format_text("process {} ({}) ", *pid, name.empty() ? "not visible from here" : name) : "";
  return format_text("{}leaks {}: {} in {} ({:.1f} % sure)", who, pace(estimate.bytes_per_second),
                     format_bytes(estimate.grown),
                     format_duration(std::chrono::duration_cast<Duration>(estimate.lasting)),
                     std::min(kSurest, 100 * estimate.confidence));
}

std::string to_json(const Leak& leak, int gpu, const TimeStamp& time, Provenance provenance) {
  auto record = start_record("leak", time);
  record["gpu"] = gpu;
  record["provenance"] = to_string(provenance);
  record["pid"] = or_null(leak.pid);
  record["start_ticks"] = or_null(leak.start_ticks);
  record["name"] = leak.pid ? JsonRecord(leak.name) : JsonRecord(nullptr);
  record["bytes_per_second"] = whole_bytes_or_null(leak.estimate.bytes_per_second);
  record["confidence"] = rounded(leak.estimate.confidence, kConfidenceDecimals);
  record["grown_bytes"] = leak.estimate.grown;
  record["lasting_s"] = rounded_seconds(leak.estimate.lasting.count());
  record["text"] = leak.text();
  return dump(record);
}

}  // namespace dualgpuopt::memory
