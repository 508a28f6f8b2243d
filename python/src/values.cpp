#include "values.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>

#include <stdexcept>

namespace nb = nanobind;

namespace dualgpuopt::memory::python {
namespace {

using python::to_python;  // the overloads here join those of the header

template <typename T>
nb::object or_none(const std::optional<T>& value) {
  return value ? nb::cast(*value) : nb::none();
}

template <typename T>
nb::object or_none(const std::shared_ptr<const T>& value);

nb::object or_none(const std::optional<Forecast>& forecast) {
  return forecast ? nb::object(to_python(*forecast)) : nb::none();
}

nb::object seconds_or_none(const std::optional<Seconds>& duration) {
  return duration ? nb::cast(duration->count()) : nb::none();
}

double seconds(Duration duration) { return Seconds(duration).count(); }

/// Seconds since the epoch, None where no wall clock runs.
nb::object wall_seconds(const TimeStamp& time) {
  return time.wall ? nb::cast(Seconds(time.wall->time_since_epoch()).count()) : nb::none();
}

/// One element for each of the values.
template <typename Values, typename Convert>
nb::tuple tuple_of(const Values& values, Convert convert) {
  nb::list all;
  for (const auto& value : values) all.append(convert(value));
  return nb::tuple(all);
}

nb::tuple to_python(const ProcessMemory& process) {
  return nb::make_tuple(process.pid, process.start_ticks, process.used, to_string(process.kind), process.name,
                        to_string(process.presence), process.driver_pid);
}

nb::tuple to_python(const ProcessList& list) {
  return nb::make_tuple(seconds_since_origin(list.time.mono), wall_seconds(list.time),
                        tuple_of(list.entries, [](const ProcessMemory& entry) { return to_python(entry); }),
                        list.reason, list.used_reason);
}

template <>
nb::object or_none(const std::shared_ptr<const ProcessList>& list) {
  return list ? nb::object(to_python(*list)) : nb::none();
}

nb::tuple to_python(const MemoryUse& memory) {
  return nb::make_tuple(memory.used, memory.total, memory.free, memory.reserved, to_string(memory.used_meaning),
                        memory.occupied(), memory.occupied_percent());
}

nb::tuple to_python(const DeviceEvent& event) {
  return nb::make_tuple(seconds_since_origin(event.time.mono), wall_seconds(event.time), to_string(event.kind),
                        event.code, event.text());
}

nb::tuple events_to_python(const std::vector<DeviceEvent>& events) {
  return tuple_of(events, [](const DeviceEvent& event) { return to_python(event); });
}

nb::tuple to_python(const ForecastAccuracy& accuracy) {
  return nb::make_tuple(accuracy.due, accuracy.unknown, accuracy.brier_score(), accuracy.calibration_error(),
                        accuracy.interval_coverage(), accuracy.exhaustions, accuracy.foreseen, accuracy.alarms,
                        accuracy.alarms_true);
}

nb::tuple to_python(const Leak& leak) {
  const auto& estimate = leak.estimate;
  return nb::make_tuple(leak.pid, leak.start_ticks, leak.name, estimate.bytes_per_second, estimate.confidence,
                        estimate.grown, estimate.lasting.count(), leak.text());
}

nb::tuple to_python(const LearnedThreshold& threshold) {
  return nb::make_tuple(to_string(threshold.level), threshold.percent, threshold.configured, threshold.headroom.rise,
                        seconds(threshold.headroom.within), threshold.text());
}

nb::tuple to_python(const DeviceSnapshot& device) {
  return nb::make_tuple(to_python(*device.device), to_string(device.status), device.reason, to_python(device.reading),
                        to_string(device.level), or_none(device.forecast), or_none(device.processes), device.peak_used,
                        events_to_python(device.events), to_python(device.accuracy),
                        tuple_of(device.leaks, [](const Leak& leak) { return to_python(leak); }),
                        tuple_of(device.thresholds, [](const auto& threshold) { return to_python(threshold); }));
}

nb::tuple to_python(const Candidate& candidate) {
  return nb::make_tuple(candidate.what, candidate.bytes, candidate.score, candidate.chosen, candidate.reason);
}

nb::tuple to_python(const RungRecord& rung) {
  return nb::make_tuple(to_string(rung.strategy), to_string(rung.outcome), rung.detail, rung.used_before,
                        rung.used_after, seconds(rung.took), rung.own_before, rung.own_after,
                        tuple_of(rung.candidates, [](const Candidate& candidate) { return to_python(candidate); }));
}

template <typename Enum, std::size_t N>
Enum enum_from(const std::string& text, const Enum (&all)[N], const char* what) {
  for (const auto each : all) {
    if (to_string(each) == text) return each;
  }
  throw std::invalid_argument(std::string(what) + " '" + text + "' is not known");
}

using Text = std::optional<std::string>;
using Amount = std::optional<Bytes>;

ProcessMemory process_from_python(nb::handle value) {
  const auto entry = nb::cast<nb::sequence>(value);
  ProcessMemory process;
  process.pid = nb::cast<int>(entry[0]);
  process.used = nb::cast<Amount>(entry[1]);
  return process;
}

std::shared_ptr<const ProcessList> processes_from_python(nb::handle value) {
  if (value.is_none()) return nullptr;
  auto list = std::make_shared<ProcessList>();
  for (const auto entry : value) list->entries.push_back(process_from_python(entry));
  return list;
}

MemoryUse memory_from_python(const Amount& total, Bytes used, const Amount& free, const Amount& reserved) {
  auto memory = MemoryUse::from_used_and_total(used, total);
  if (free) memory.free = free;
  memory.reserved = reserved;
  if (reserved && total && free && *reserved + used + *free == *total) {
    memory.used_meaning = UsedMeaning::WithoutReserved;
  }
  return memory;
}

}  // namespace

nb::tuple to_python(const Device& device) {
  return nb::make_tuple(device.gpu, device.key, device.name, device.uuid, device.pci_address, device.parent_key,
                        to_string(device.vendor), to_string(device.kind));
}

nb::tuple to_python(const Reading& reading) {
  return nb::make_tuple(reading.gpu, seconds_since_origin(reading.time.mono), wall_seconds(reading.time),
                        to_string(reading.provenance),
                        reading.memory ? nb::object(to_python(*reading.memory)) : nb::none(), reading.reason,
                        or_none(reading.processes), events_to_python(reading.events));
}

nb::tuple to_python(const Forecast& forecast) {
  return nb::make_tuple(seconds_since_origin(forecast.time.mono), wall_seconds(forecast.time),
                        seconds(forecast.horizon), seconds_or_none(forecast.time_to_oom),
                        seconds_or_none(forecast.time_to_oom_low), seconds_or_none(forecast.time_to_oom_high),
                        forecast.risk, forecast.expected_used, forecast.expected_used_low, forecast.expected_used_high,
                        forecast.slope_bytes_per_second, to_string(forecast.regime),
                        forecast.step > 0 ? nb::object(nb::int_(forecast.step)) : nb::none(),
                        seconds_or_none(forecast.period), seconds_or_none(forecast.since_oom), explain(forecast));
}

nb::tuple to_python(const Snapshot& snapshot) {
  return nb::make_tuple(snapshot.sequence, seconds_since_origin(snapshot.time.mono), wall_seconds(snapshot.time),
                        to_string(snapshot.provenance),
                        tuple_of(snapshot.devices, [](const DeviceSnapshot& device) { return to_python(device); }));
}

nb::tuple to_python(const MemoryAlert& alert) {
  const auto& threshold = alert.threshold;
  return nb::make_tuple(
      to_string(alert.event), to_string(alert.level), to_string(alert.current), alert.gpu,
      seconds_since_origin(alert.time.mono), wall_seconds(alert.time), to_string(alert.provenance), alert.message,
      tuple_of(alert.recommendations, [](const std::string& text) { return nb::cast(text); }), to_python(alert.memory),
      alert.used_percent,
      nb::make_tuple(threshold.percent, threshold.free, seconds(threshold.minimum_duration),
                     seconds_or_none(threshold.time_to_oom)),
      to_string(alert.reached_by), or_none(alert.forecast), events_to_python(alert.events), alert.text());
}

nb::tuple to_python(const Decision& decision) {
  return nb::make_tuple(decision.id, decision.gpu, seconds_since_origin(decision.started.mono),
                        wall_seconds(decision.started), seconds(decision.took), to_string(decision.provenance),
                        to_string(decision.mode), to_string(decision.cause), to_string(decision.level),
                        to_python(decision.evidence), or_none(decision.forecast), decision.target_used,
                        tuple_of(decision.rungs, [](const RungRecord& rung) { return to_python(rung); }),
                        to_string(decision.end), decision.reason, or_none(decision.freed));
}

Device device_from_python(nb::handle value) {
  static constexpr Vendor kVendors[] = {Vendor::Unknown, Vendor::Nvidia, Vendor::Amd, Vendor::Intel};
  static constexpr DeviceKind kKinds[] = {DeviceKind::Gpu, DeviceKind::Mig, DeviceKind::Partitioned,
                                          DeviceKind::Integrated};
  const auto fields = nb::cast<nb::sequence>(value);
  Device device;
  device.gpu = nb::cast<int>(fields[0]);
  device.key = nb::cast<std::string>(fields[1]);
  device.name = nb::cast<std::string>(fields[2]);
  device.uuid = nb::cast<Text>(fields[3]);
  device.pci_address = nb::cast<Text>(fields[4]);
  device.parent_key = nb::cast<Text>(fields[5]);
  device.vendor = enum_from(nb::cast<std::string>(fields[6]), kVendors, "the vendor");
  device.kind = enum_from(nb::cast<std::string>(fields[7]), kKinds, "the kind of device");
  return device;
}

Reading reading_from_python(nb::handle value) {
  Reading reading;
  if (nb::isinstance<nb::str>(value)) {
    reading.reason = nb::cast<std::string>(value);
    return reading;
  }
  const auto fields = nb::cast<nb::sequence>(value);
  reading.memory = memory_from_python(nb::cast<Amount>(fields[0]), nb::cast<Bytes>(fields[1]),
                                      nb::cast<Amount>(fields[2]), nb::cast<Amount>(fields[3]));
  reading.processes = processes_from_python(fields[4]);
  return reading;
}

Candidate candidate_from_python(nb::handle value) {
  const auto fields = nb::cast<nb::sequence>(value);
  return {nb::cast<std::string>(fields[0]), nb::cast<Amount>(fields[1]), nb::cast<std::optional<double>>(fields[2]),
          nb::cast<bool>(fields[3]), nb::cast<std::string>(fields[4])};
}

}  // namespace dualgpuopt::memory::python
