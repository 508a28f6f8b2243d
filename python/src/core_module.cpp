// dualgpuopt.memory._core: the C++ core as the package's own modules use it. Not for applications: the package gives it
// its shape and its documentation.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <thread>

#include "batch_size.h"
#include "dualgpuopt/memory/core/units.h"
#include "estimates.h"
#include "legacy_stats.h"
#include "native_monitor.h"
#include "offload.h"
#include "outside.h"
#include "profiles.h"
#include "usage_series.h"
#include "values.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace dualgpuopt::memory::python {
namespace {

/// ("enumerate",), ("read", gpu, with processes), ("release",), or
/// ("recover", strategy, gpu, reading, target bytes, bytes to free, deadline on the monitor's clock).
nb::tuple describe(const Question& question) {
  if (const auto* read = std::get_if<ReadQuestion>(&question)) {
    return nb::make_tuple("read", read->gpu, read->detail == ReadDetail::MemoryAndProcesses);
  }
  if (const auto* request = std::get_if<RecoveryRequest>(&question)) {
    return nb::make_tuple("recover", nb::str(to_string(request->strategy).data()), request->gpu,
                          to_python(request->reading), request->target_used, request->bytes_to_free,
                          seconds_since_origin(request->deadline));
  }
  return nb::make_tuple(std::holds_alternative<ReleaseQuestion>(question) ? "release" : "enumerate");
}

bool stop_requested(const Enquiry& enquiry) {
  const auto* request = std::get_if<RecoveryRequest>(&enquiry.question());
  return request != nullptr && request->stop.stop_requested();
}

std::vector<Device> devices_from_python(nb::handle list) {
  std::vector<Device> devices;
  for (const auto device : list) devices.push_back(device_from_python(device));
  return devices;
}

std::vector<Candidate> candidates_from_python(nb::handle list) {
  std::vector<Candidate> candidates;
  for (const auto candidate : list) candidates.push_back(candidate_from_python(candidate));
  return candidates;
}

std::shared_ptr<Enquiry> next_question(const std::shared_ptr<Exchange>& exchange, double timeout_s) {
  const Outside outside;
  return exchange->next(std::chrono::duration_cast<std::chrono::nanoseconds>(Seconds(timeout_s)));
}

nb::list take_events(NativeMonitor& monitor, double timeout_s) {
  nb::list all;
  for (const auto& event : monitor.take_events(timeout_s)) {
    std::visit([&](const auto& each) { all.append(to_python(each)); }, event);
  }
  return all;
}

HistoryTier tier_from(const std::string& name) {
  if (name == "second") return HistoryTier::Second;
  if (name == "minute") return HistoryTier::Minute;
  if (name == "hour") return HistoryTier::Hour;
  throw std::invalid_argument("the tier is '" + name + "'; expected second, minute or hour");
}

/// Columns: start, min, max, last, mean, samples.
nb::tuple history(const NativeMonitor& monitor, int gpu, const std::string& tier, std::optional<double> since) {
  const auto from = since ? MonoTime(std::chrono::duration_cast<Duration>(Seconds(*since))) : MonoTime::min();
  nb::list start, min, max, last, mean, samples;
  for (const auto& point : monitor.monitor().history(gpu, tier_from(tier), from)) {
    start.append(seconds_since_origin(point.start));
    min.append(point.min);
    max.append(point.max);
    last.append(point.last);
    mean.append(point.mean);
    samples.append(point.samples);
  }
  return nb::make_tuple(start, min, max, last, mean, samples);
}

nb::object summary(const NativeMonitor& monitor, int gpu, double window_s) {
  const auto window = std::chrono::duration_cast<Duration>(Seconds(window_s));
  const auto found = monitor.monitor().summary(gpu, window);
  if (!found) return nb::none();
  return nb::make_tuple(window_s, found->points, found->min, found->max, found->last, found->mean,
                        found->rate_bytes_per_second);
}

nb::list devices(const NativeMonitor& monitor) {
  nb::list all;
  for (const auto& device : monitor.monitor().devices()) all.append(to_python(device));
  return all;
}

nb::list recent_decisions(const NativeMonitor& monitor) {
  nb::list all;
  for (const auto& decision : monitor.monitor().recent_decisions()) all.append(to_python(decision));
  return all;
}

nb::object project(const UsageSeries& series, double now_s, double horizon_s, double growth_rate) {
  const auto projected = series.project(now_s, horizon_s, growth_rate);
  return projected ? nb::object(nb::int_(static_cast<std::int64_t>(*projected))) : nb::none();
}

nb::list points(const UsageSeries& series) {
  nb::list all;
  for (const auto& point : series.points()) all.append(nb::make_tuple(point.time_s, point.bytes));
  return all;
}

/// The interpreter's end: nobody waits in the core from now on; who does comes back now, or is not waited for longer.
bool wait_until_all_are_back(double timeout_s) {
  Outside::ending() = true;
  const nb::gil_scoped_release released;
  const auto deadline = std::chrono::steady_clock::now() + Seconds(timeout_s);
  while (Outside::count() > 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return Outside::count() == 0;
}

void bind_exchange(nb::module_& module) {
  nb::class_<Enquiry>(module, "Enquiry")
      .def_prop_ro("question", [](const Enquiry& enquiry) { return describe(enquiry.question()); })
      .def_prop_ro("stop_requested", &stop_requested)
      .def(
          "fail", [](Enquiry& enquiry, std::string reason) { enquiry.answer(std::move(reason)); }, "reason"_a)
      .def(
          "answer_devices", [](Enquiry& enquiry, nb::handle list) { enquiry.answer(devices_from_python(list)); },
          "devices"_a)
      .def(
          "answer_reading", [](Enquiry& enquiry, nb::handle value) { enquiry.answer(reading_from_python(value)); },
          "value"_a)
      .def(
          "answer_strategy",
          [](Enquiry& enquiry, bool succeeded, std::string detail, nb::handle candidates) {
            enquiry.answer(StrategyAnswer{succeeded, std::move(detail), candidates_from_python(candidates)});
          },
          "succeeded"_a, "detail"_a, "candidates"_a = nb::make_tuple());
  nb::class_<Exchange>(module, "Exchange")
      .def(nb::new_([] { return std::make_shared<Exchange>(); }))
      .def("next", &next_question, "timeout_s"_a)
      .def_prop_ro("closed", &Exchange::closed)
      .def("close", &Exchange::close);
}

void bind_monitor(nb::module_& module) {
  nb::class_<NativeMonitor>(module, "Monitor", nb::is_weak_referenceable())
      .def(nb::init<std::string, const std::string&, const std::string&, bool, double, std::shared_ptr<Exchange>>(),
           "source"_a, "python_provenance"_a, "configuration"_a, "wake"_a, "patience_s"_a, "sources"_a.none())
      .def("start", &NativeMonitor::start)
      .def("stop", &NativeMonitor::stop)
      .def_prop_ro("running", &NativeMonitor::running)
      .def_prop_ro("closed", &NativeMonitor::closed)
      .def("close", &NativeMonitor::close)
      .def("abandon", &NativeMonitor::abandon)
      .def("release_driver", &NativeMonitor::release_driver)
      .def("refresh", &NativeMonitor::refresh, "timeout_s"_a)
      .def("wait", &NativeMonitor::wait, "after_sequence"_a, "timeout_s"_a)
      .def("sampling_times", &NativeMonitor::sampling_times, "gpu"_a, "count"_a, "timeout_s"_a)
      .def("step", &NativeMonitor::step)
      .def("now", &NativeMonitor::now)
      .def("sequence", [](NativeMonitor& monitor) { return monitor.snapshot().sequence; })
      .def("snapshot", [](NativeMonitor& monitor) { return to_python(monitor.snapshot()); })
      .def("devices", &devices)
      .def("recent_decisions", &recent_decisions)
      .def("take_events", &take_events, "timeout_s"_a)
      .def("register_strategy", &NativeMonitor::register_strategy, "strategy"_a)
      .def("recoveries", &NativeMonitor::recoveries)
      .def("history", &history, "gpu"_a, "tier"_a, "since"_a.none())
      .def("summary", &summary, "gpu"_a, "window_s"_a)
      .def("memory", &memory, "gpu"_a, "max_age_s"_a)
      .def("memory_stats", &memory_stats, "gpu"_a, "divisor"_a, "max_age_s"_a)
      .def("all_divided", &all_divided, "divisor"_a, "max_age_s"_a)
      .def("all_memory_stats", &all_memory_stats, "max_age_s"_a)
      .def("usage", &usage)
      .def("unavailable", &unavailable);
}

void bind_series(nb::module_& module) {
  nb::class_<UsageSeries>(module, "UsageSeries")
      .def(nb::init<std::size_t>(), "capacity"_a)
      .def("append", &UsageSeries::append, "time_s"_a, "bytes"_a)
      .def("clear", &UsageSeries::clear)
      .def("__len__", [](const UsageSeries& series) { return series.points().size(); })
      .def("points", &points)
      .def("project", &project, "now_s"_a, "horizon_s"_a, "growth_rate"_a);
}

}  // namespace
}  // namespace dualgpuopt::memory::python

NB_MODULE(_core, module) {
  using namespace dualgpuopt::memory::python;
  nb::set_leak_warnings(false);  // a monitor may live as long as the interpreter
  bind_exchange(module);
  bind_monitor(module);
  bind_series(module);
  bind_estimates(module);
  bind_profiles(module);
  bind_batch_size(module);
  bind_offload(module);
  module.def("wait_until_all_are_back", &wait_until_all_are_back, "timeout_s"_a);
  module.def(
      "format_bytes", [](dualgpuopt::memory::Bytes amount) { return dualgpuopt::memory::format_bytes(amount); },
      "amount"_a);
}
