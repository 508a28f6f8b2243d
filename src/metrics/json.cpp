#include "dualgpuopt/memory/metrics/json.h"

#include "metrics/json_fields.h"

namespace dualgpuopt::memory {
namespace {

JsonRecord device_record(const Device& device) {
  JsonRecord record;
  record["schema"] = kJsonSchema;
  record["type"] = "device";
  record["gpu"] = device.gpu;
  record["key"] = device.key;
  record["name"] = device.name;
  record["vendor"] = to_string(device.vendor);
  record["kind"] = to_string(device.kind);
  record["uuid"] = or_null(device.uuid);
  record["pci_address"] = or_null(device.pci_address);
  record["parent_key"] = or_null(device.parent_key);
  return record;
}

JsonRecord candidate_record(const Candidate& candidate) {
  JsonRecord record;
  record["what"] = candidate.what;
  record["bytes"] = or_null(candidate.bytes);
  record["score"] = or_null(candidate.score);
  record["chosen"] = candidate.chosen;
  record["reason"] = or_null(candidate.reason);
  return record;
}

JsonRecord rung_record(const RungRecord& rung) {
  JsonRecord record;
  record["strategy"] = to_string(rung.strategy);
  record["outcome"] = to_string(rung.outcome);
  record["detail"] = or_null(rung.detail);
  record["used_before_bytes"] = or_null(rung.used_before);
  record["used_after_bytes"] = or_null(rung.used_after);
  record["own_before_bytes"] = or_null(rung.own_before);
  record["own_after_bytes"] = or_null(rung.own_after);
  record["took_s"] = rounded_seconds(Seconds(rung.took).count());
  record["candidates"] = JsonRecord::array();
  for (const auto& candidate : rung.candidates) record["candidates"].push_back(candidate_record(candidate));
  return record;
}

JsonRecord rung_records(const std::vector<RungRecord>& rungs) {
  auto records = JsonRecord::array();
  for (const auto& rung : rungs) records.push_back(rung_record(rung));
  return records;
}

JsonRecord forecast_behind(const Decision& decision) {
  if (!decision.forecast) return nullptr;
  const auto& memory = decision.evidence.memory;
  const auto used = memory ? std::optional(memory->occupied()) : std::nullopt;
  return forecast_record(*decision.forecast, decision.gpu, used, decision.provenance);
}

JsonRecord decision_record(const Decision& decision) {
  auto record = start_record("decision", decision.started);
  record["id"] = decision.id;
  record["gpu"] = decision.gpu;
  record["provenance"] = to_string(decision.provenance);
  record["mode"] = to_string(decision.mode);
  record["cause"] = to_string(decision.cause);
  record["level"] = to_string(decision.level);
  record["target_used_bytes"] = decision.target_used;
  record["end"] = to_string(decision.end);
  record["reason"] = or_null(decision.reason);
  record["freed_bytes"] = or_null(decision.freed);
  record["took_s"] = rounded_seconds(Seconds(decision.took).count());
  record["rungs"] = rung_records(decision.rungs);
  record["evidence"] = reading_record(decision.evidence);
  record["forecast"] = forecast_behind(decision);
  return record;
}

}  // namespace

std::string to_json(const Device& device) { return dump(device_record(device)); }

std::string to_json(const Reading& reading) { return dump(reading_record(reading)); }

std::string to_json(const Forecast& forecast, int gpu, Bytes used, Provenance provenance) {
  return dump(forecast_record(forecast, gpu, used, provenance));
}

std::string to_json(const Decision& decision) { return dump(decision_record(decision)); }

}  // namespace dualgpuopt::memory
