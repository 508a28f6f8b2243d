#include "sources/trace_json.h"

#include <algorithm>
#include <limits>

#include "core/format.h"
#include "dualgpuopt/memory/metrics/json.h"
#include "sources/trace_builder.h"
#include "sources/trace_json_fields.h"

namespace dualgpuopt::memory {
namespace {

using nlohmann::json;

constexpr std::array kVendors{Vendor::Unknown, Vendor::Nvidia, Vendor::Amd, Vendor::Intel};
constexpr std::array kDeviceKinds{DeviceKind::Gpu, DeviceKind::Mig, DeviceKind::Partitioned, DeviceKind::Integrated};
constexpr std::array kStatuses{DeviceStatus::Ok, DeviceStatus::Stale, DeviceStatus::Unavailable};
constexpr std::array kUsedMeanings{UsedMeaning::WithoutReserved, UsedMeaning::WithReserved, UsedMeaning::Estimate};
constexpr std::array kProcessKinds{ProcessKind::Compute, ProcessKind::Graphics, ProcessKind::ComputeAndGraphics,
                                   ProcessKind::Mps};
constexpr std::array kPresences{ProcessPresence::Alive, ProcessPresence::Zombie, ProcessPresence::Gone,
                                ProcessPresence::Unseen};
constexpr std::array kEventKinds{DeviceEventKind::Xid, DeviceEventKind::EccCorrected, DeviceEventKind::EccUncorrected};

constexpr auto kLargestPid = static_cast<Bytes>(std::numeric_limits<pid_t>::max());

Result<json> parse_record(const TraceLine& line) {
  if (line.text.size() > kLongestJsonLine) return refuse(line, line.text, "a record", "a line of at most 1 MiB");
  auto record = json::parse(line.text, nullptr, false);
  if (!record.is_object()) return refuse(line, line.text, "a record", "one JSON object a line");
  return record;
}

Result<void> check_schema(TraceJsonFields& fields, const TraceLine& line) {
  const auto schema = fields.whole_number("schema");
  fields.require(schema, "schema");
  if (fields.problem()) return fail(*fields.problem());
  if (*schema <= static_cast<Bytes>(kJsonSchema)) return {};
  return fail(ErrorCode::ParseFailed,
              format_text("line {}: schema {} is newer than schema {}, the newest that is known here: use the version "
                          "that wrote the recording, or a later one",
                          line.number, *schema, kJsonSchema));
}

Result<void> read_device(TraceJsonFields& fields, const TraceLine& line, TraceBuilder& builder) {
  Device device;
  device.gpu = fields.gpu();
  const auto key = fields.text("key");
  fields.require(key, "key");
  device.key = key.value_or("");
  device.name = fields.text("name").value_or("");
  device.vendor = fields.name("vendor", "a vendor", kVendors).value_or(Vendor::Unknown);
  device.kind = fields.name("kind", "a kind of device", kDeviceKinds).value_or(DeviceKind::Gpu);
  device.uuid = fields.text("uuid");
  device.pci_address = fields.text("pci_address");
  device.parent_key = fields.text("parent_key");
  if (fields.problem()) return fail(*fields.problem());
  builder.describe(std::move(device), line);
  return {};
}

std::optional<pid_t> read_pid(TraceJsonFields& fields, std::string_view key) {
  const auto pid = fields.whole_number(key);
  if (!pid) return std::nullopt;
  if (*pid > kLargestPid) fields.reject(std::to_string(*pid), key, "a process number");
  return static_cast<pid_t>(std::min(*pid, kLargestPid));
}

Result<ProcessMemory> read_process(const json& entry, const TraceLine& line) {
  TraceJsonFields fields(entry, line);
  ProcessMemory process;
  const auto pid = read_pid(fields, "pid");
  fields.require(pid, "pid");
  process.pid = pid.value_or(0);
  process.start_ticks = fields.whole_number("start_ticks");
  process.used = fields.whole_number("used_bytes");
  process.kind = fields.name("kind", "a kind of process", kProcessKinds).value_or(ProcessKind::Compute);
  process.name = fields.text("name").value_or("");
  process.presence = fields.name("presence", "what became of a process", kPresences).value_or(ProcessPresence::Unseen);
  process.driver_pid = read_pid(fields, "driver_pid");
  if (fields.problem()) return fail(*fields.problem());
  return process;
}

/// Null where the record has no list.
Result<std::shared_ptr<const ProcessList>> read_processes(const json& record, TraceJsonFields& fields,
                                                          const TraceLine& line, MonoTime time) {
  const auto entries = record.find("processes");
  if (entries == record.end() || entries->is_null()) return nullptr;
  if (!entries->is_array()) return refuse(line, line.text, "processes", "a list or null");
  auto list = std::make_shared<ProcessList>();
  const auto listed = fields.seconds("processes_t");
  list->time.mono = listed ? MonoTime(*listed) : time;
  list->reason = fields.text("processes_reason").value_or("");
  list->used_reason = fields.text("processes_used_reason").value_or("");
  for (const auto& entry : *entries) {
    if (!entry.is_object()) return refuse(line, line.text, "processes", "a list of objects");
    auto process = read_process(entry, line);
    if (!process) return fail(std::move(process.error()));
    list->entries.push_back(std::move(*process));
  }
  return list;
}

Result<DeviceEvent> read_event(const json& entry, const TraceLine& line, MonoTime time) {
  if (!entry.is_object()) return refuse(line, line.text, "events", "a list of objects");
  TraceJsonFields fields(entry, line);
  DeviceEvent event;
  event.time.mono = MonoTime(fields.seconds("t").value_or(time.time_since_epoch()));
  const auto kind = fields.name("kind", "a kind of event", kEventKinds);
  fields.require(kind, "kind");
  event.kind = kind.value_or(DeviceEventKind::Xid);
  event.code = fields.whole_number("code").value_or(0);
  if (fields.problem()) return fail(*fields.problem());
  return event;
}

Result<std::vector<DeviceEvent>> read_events(const json& record, const TraceLine& line, MonoTime time) {
  std::vector<DeviceEvent> events;
  const auto entries = record.find("events");
  if (entries == record.end() || entries->is_null()) return events;
  if (!entries->is_array()) return refuse(line, line.text, "events", "a list or null");
  for (const auto& entry : *entries) {
    const auto event = read_event(entry, line, time);
    if (!event) return fail(event.error());
    events.push_back(*event);
  }
  return events;
}

MemoryUse read_memory(TraceJsonFields& fields) {
  MemoryUse memory;
  const auto used = fields.whole_number("used_bytes");
  fields.require(used, "used_bytes");
  memory.used = used.value_or(0);
  memory.total = fields.whole_number("total_bytes");
  memory.free = fields.whole_number("free_bytes");
  memory.reserved = fields.whole_number("reserved_bytes");
  memory.used_meaning =
      fields.name("used_meaning", "a meaning of used", kUsedMeanings).value_or(UsedMeaning::WithReserved);
  return memory;
}

/// Only a record with status ok has numbers of its own time: what was stale then is no reading now.
Result<void> read_reading(const json& record, TraceJsonFields& fields, const TraceLine& line, TraceBuilder& builder) {
  Reading reading;
  reading.gpu = fields.gpu();
  const auto time = fields.seconds("t");
  fields.require(time, "t");
  if (time && *time < Duration::zero()) fields.reject("a negative number", "t", "seconds from the first reading");
  reading.time = {MonoTime(time.value_or(Duration::zero())), fields.wall_time("time")};
  const auto status = fields.name("status", "a status", kStatuses);
  fields.require(status, "status");
  if (status == DeviceStatus::Ok) {
    reading.memory = read_memory(fields);
  } else {
    reading.reason = fields.text("reason").value_or("the recording gives no reason");
  }
  auto processes = read_processes(record, fields, line, reading.time.mono);
  if (!processes) return fail(std::move(processes.error()));
  auto events = read_events(record, line, reading.time.mono);
  if (!events) return fail(std::move(events.error()));
  if (fields.problem()) return fail(*fields.problem());
  reading.processes = std::move(*processes);
  reading.events = std::move(*events);
  return builder.add(std::move(reading), line);
}

Result<void> read_record(const TraceLine& line, TraceBuilder& builder) {
  const auto record = parse_record(line);
  if (!record) return fail(record.error());
  TraceJsonFields fields(*record, line);
  if (auto checked = check_schema(fields, line); !checked) return checked;
  const auto type = fields.text("type");
  fields.require(type, "type");
  if (fields.problem()) return fail(*fields.problem());
  if (type == "device") return read_device(fields, line, builder);
  if (type == "reading") return read_reading(*record, fields, line, builder);
  return {};
}

}  // namespace

Result<Trace> parse_trace_json(std::string_view text) { return build_trace(text, TimeOrigin::AsWritten, read_record); }

}  // namespace dualgpuopt::memory
