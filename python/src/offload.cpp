#include "offload.h"

#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "dualgpuopt/memory/processes/host_memory.h"
#include "dualgpuopt/memory/recovery/offload_ledger.h"
#include "values.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace dualgpuopt::memory::python {
namespace {

using Text = std::string;
using MaybeSeconds = std::optional<double>;

/// Centuries at most, so that nothing overflows; what is no number is 0.
Duration to_duration(double seconds) {
  constexpr double kMost = 3e9;
  return std::chrono::duration_cast<Duration>(Seconds(std::isnan(seconds) ? 0 : std::clamp(seconds, -kMost, kMost)));
}

MonoTime to_time(double seconds) { return MonoTime(to_duration(seconds)); }

OffloadTraits traits_from(Text name, int gpu, Bytes bytes, double priority, MaybeSeconds last_use) {
  OffloadTraits traits{std::move(name), gpu, bytes, priority};
  if (last_use) traits.last_use = to_time(*last_use);
  return traits;
}

OffloadLedger* new_ledger(double trigger, double margin, double hold_off, double soon, double longest_wait,
                          double calm_risk, double freshness, Bytes host_reserve) {
  const OffloadConfig config{.trigger_percent = trigger,
                             .margin_percent = margin,
                             .hold_off = to_duration(hold_off),
                             .soon = to_duration(soon),
                             .longest_wait = to_duration(longest_wait),
                             .calm_risk = calm_risk,
                             .freshness = to_duration(freshness),
                             .host_reserve = host_reserve};
  if (const auto valid = config.validate(); !valid) throw std::invalid_argument(valid.error().describe());
  return new OffloadLedger(config);
}

/// Name, GPU, bytes, priority, whether it waits for safe points, residence, users, problem.
nb::object entry(const OffloadLedger& ledger, OffloadId id) {
  const auto* found = ledger.find(id);
  if (found == nullptr) return nb::none();
  const auto& traits = found->traits;
  return nb::make_tuple(traits.name, traits.gpu, traits.bytes, traits.priority,
                        found->timing == OffloadTiming::AtSafePoint, nb::str(to_string(found->residence).data()),
                        found->users, found->problem);
}

/// The chosen, all of them by rank, their candidates (as of a decision's rung), and whether the host is short.
nb::tuple choose(const OffloadLedger& ledger, int gpu, Bytes bytes_to_free, Bytes host_room,
                 const std::map<OffloadId, std::string>& passed_over, double now) {
  const auto choice = ledger.choose(gpu, bytes_to_free, host_room, passed_over, to_time(now));
  nb::list candidates;
  for (const auto& each : choice.candidates) {
    candidates.append(nb::make_tuple(each.what, each.bytes, each.score, each.chosen, each.reason));
  }
  return nb::make_tuple(nb::cast(choice.ids), nb::cast(choice.ranked), candidates, choice.host_is_short);
}

/// A device's state, as far as it decides; `time` on the clock of `now`; the forecast is what it expects, and its risk.
DeviceState state_from(int gpu, double time, bool is_drivers, Bytes occupied, std::optional<Bytes> total,
                       bool is_normal, std::optional<std::pair<Bytes, std::optional<double>>> forecast) {
  DeviceState state;
  state.reading.gpu = gpu;
  state.reading.time.mono = to_time(time);
  state.reading.provenance = is_drivers ? Provenance::Driver : Provenance::Simulated;
  state.reading.memory = MemoryUse::from_used_and_total(occupied, total);
  state.level = is_normal ? Level::Normal : Level::Warning;
  if (forecast) {
    state.forecast = Forecast{};
    state.forecast->expected_used = forecast->first;
    state.forecast->risk = forecast->second;
  }
  return state;
}

/// What comes back next, or None and why nothing does.
nb::tuple next_restore(const OffloadLedger& ledger, int gpu, double time, bool is_drivers, Bytes occupied,
                       std::optional<Bytes> total, bool is_normal,
                       std::optional<std::pair<Bytes, std::optional<double>>> forecast, double now) {
  const auto state = state_from(gpu, time, is_drivers, occupied, total, is_normal, forecast);
  const auto choice = ledger.next_restore(state, to_time(now));
  return nb::make_tuple(choice.id, choice.reason);
}

/// Bytes and what bounds them; None and why they are not known.
nb::tuple host_room() {
  const auto room = read_host_room();
  if (!room) return nb::make_tuple(nb::none(), room.error().describe());
  return nb::make_tuple(room->bytes, room->bound_by);
}

}  // namespace

void bind_offload(nb::module_& module) {
  nb::class_<OffloadLedger>(module, "OffloadLedger")
      .def(nb::new_(&new_ledger), "trigger"_a, "margin"_a, "hold_off"_a, "soon"_a, "longest_wait"_a, "calm_risk"_a,
           "freshness"_a, "host_reserve"_a)
      .def(
          "add",
          [](OffloadLedger& ledger, Text name, int gpu, Bytes bytes, double priority, MaybeSeconds last_use,
             bool at_safe_point, double now) {
            const auto timing = at_safe_point ? OffloadTiming::AtSafePoint : OffloadTiming::AtOnce;
            return ledger.add(traits_from(std::move(name), gpu, bytes, priority, last_use), timing, to_time(now));
          },
          "name"_a, "gpu"_a, "bytes"_a, "priority"_a, "last_use"_a.none(), "at_safe_point"_a, "now"_a)
      .def("remove", &OffloadLedger::remove, "id"_a)
      .def("all", &OffloadLedger::all)
      .def("on_gpu", &OffloadLedger::on_gpu, "gpu"_a)
      .def("entry", &entry, "id"_a)
      .def(
          "describe",
          [](OffloadLedger& ledger, OffloadId id, Text name, Bytes bytes, double priority, MaybeSeconds last_use) {
            ledger.describe(id, traits_from(std::move(name), 0, bytes, priority, last_use));
          },
          "id"_a, "name"_a, "bytes"_a, "priority"_a, "last_use"_a.none())
      .def("refuse", &OffloadLedger::refuse, "id"_a, "why"_a)
      .def("begin_use", &OffloadLedger::begin_use, "id"_a)
      .def(
          "end_use", [](OffloadLedger& ledger, OffloadId id, double now) { ledger.end_use(id, to_time(now)); }, "id"_a,
          "now"_a)
      .def("choose", &choose, "gpu"_a, "bytes_to_free"_a, "host_room"_a, "passed_over"_a, "now"_a)
      .def("leaving", &OffloadLedger::leaving, "gpu"_a)
      .def("begin_offload", &OffloadLedger::begin_offload, "id"_a)
      .def(
          "end_offload", [](OffloadLedger& ledger, OffloadId id, double now) { ledger.end_offload(id, to_time(now)); },
          "id"_a, "now"_a)
      .def("fail_offload", &OffloadLedger::fail_offload, "id"_a, "why"_a)
      .def("next_restore", &next_restore, "gpu"_a, "time"_a, "is_drivers"_a, "occupied"_a, "total"_a.none(),
           "is_normal"_a, "forecast"_a.none(), "now"_a)
      .def("begin_restore", &OffloadLedger::begin_restore, "id"_a)
      .def(
          "end_restore", [](OffloadLedger& ledger, OffloadId id, double now) { ledger.end_restore(id, to_time(now)); },
          "id"_a, "now"_a)
      .def(
          "fail_restore",
          [](OffloadLedger& ledger, OffloadId id, std::string why, double now) {
            ledger.fail_restore(id, std::move(why), to_time(now));
          },
          "id"_a, "why"_a, "now"_a);
  module.def("host_room", &host_room);
}

}  // namespace dualgpuopt::memory::python
