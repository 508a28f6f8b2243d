#include "batch_size.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <chrono>
#include <string>

#include "dualgpuopt/memory/recovery/batch_size_controller.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace dualgpuopt::memory::python {
namespace {

// What a time of a hundred years is cut to: far beyond what the configuration allows, and no overflow.
constexpr double kLongestS = 100.0 * 366 * 24 * 3600;

Duration duration_of(double seconds) {
  return std::chrono::duration_cast<Duration>(Seconds(std::min(std::max(seconds, -kLongestS), kLongestS)));
}
MonoTime moment(double seconds) { return MonoTime(duration_of(seconds)); }

Level level_of(const std::string& name) {
  const auto level = parse_level(name);
  if (!level) throw nb::value_error(level.error().describe().c_str());
  return *level;
}

std::optional<Seconds> seconds_of(std::optional<double> seconds) {
  return seconds ? std::optional(Seconds(*seconds)) : std::nullopt;
}

void on_forecast(BatchSizeController& controller, int gpu, std::optional<double> time_to_oom,
                 std::optional<double> risk, double now_s) {
  Forecast forecast;
  forecast.time_to_oom = seconds_of(time_to_oom);
  forecast.risk = risk;
  controller.on_forecast(gpu, forecast, moment(now_s));
}

/// From, to, cause, seconds.
nb::object last_change(const BatchSizeController& controller) {
  const auto& change = controller.last_change();
  if (!change) return nb::none();
  return nb::make_tuple(change->from, change->to, nb::str(to_string(change->cause).data()),
                        seconds_since_origin(change->time));
}

void make(BatchSizeController* place, std::uint64_t ceiling, std::uint64_t floor, std::uint64_t step, double decrease,
          unsigned patience, double hold_s, double settle_s, double retry_s, const std::string& shrink_from,
          double shrink_within_s, double calm_risk) {
  const BatchSizeConfig config{.ceiling = ceiling,
                               .floor = floor,
                               .step = step,
                               .decrease = decrease,
                               .patience = patience,
                               .hold = duration_of(hold_s),
                               .settle = duration_of(settle_s),
                               .retry = duration_of(retry_s),
                               .shrink_from = level_of(shrink_from),
                               .shrink_within = duration_of(shrink_within_s),
                               .calm_risk = calm_risk};
  if (const auto valid = config.validate(); !valid) throw nb::value_error(valid.error().describe().c_str());
  new (place) BatchSizeController(config);
}

}  // namespace

void bind_batch_size(nb::module_& module) {
  using Controller = BatchSizeController;
  nb::class_<Controller>(module, "BatchSizeController")
      .def("__init__", &make, "ceiling"_a, "floor"_a, "step"_a, "decrease"_a, "patience"_a, "hold_s"_a, "settle_s"_a,
           "retry_s"_a, "shrink_from"_a, "shrink_within_s"_a, "calm_risk"_a)
      .def_prop_ro("size", &Controller::size)
      .def_prop_ro("last_change", &last_change)
      .def(
          "known_not_to_fit",
          [](const Controller& controller, double now_s) { return controller.known_not_to_fit(moment(now_s)); },
          "now_s"_a)
      .def(
          "on_out_of_memory",
          [](Controller& controller, std::uint64_t chunk, double now_s) {
            return controller.on_out_of_memory(chunk, moment(now_s));
          },
          "chunk"_a, "now_s"_a)
      .def(
          "on_request", [](Controller& controller, double now_s) { return controller.on_request(moment(now_s)); },
          "now_s"_a)
      .def(
          "on_level",
          [](Controller& controller, int gpu, const std::string& level, double now_s) {
            controller.on_level(gpu, level_of(level), moment(now_s));
          },
          "gpu"_a, "level"_a, "now_s"_a)
      .def("on_forecast", &on_forecast, "gpu"_a, "time_to_oom_s"_a.none(), "risk"_a.none(), "now_s"_a)
      .def(
          "on_done",
          [](Controller& controller, std::uint64_t chunk, double now_s) { controller.on_done(chunk, moment(now_s)); },
          "chunk"_a, "now_s"_a);
}

}  // namespace dualgpuopt::memory::python
