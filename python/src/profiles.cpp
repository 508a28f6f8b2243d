#include "profiles.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <stdexcept>
#include <tuple>

#include "dualgpuopt/memory/predictor/profile_learner.h"
#include "dualgpuopt/memory/profiles/model_profiles.h"
#include "dualgpuopt/memory/profiles/profile_file.h"
#include "outside.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace dualgpuopt::memory::python {
namespace {

/// (name, base, per batch, per token, growth rate, recovery buffer).
using Profile = std::tuple<std::string, Bytes, Bytes, Bytes, std::optional<double>, std::optional<double>>;

StoredProfile stored(const Profile& profile) {
  const auto& [name, base, per_batch, per_token, growth_rate, recovery_buffer] = profile;
  return {{name, base, per_batch, per_token}, growth_rate, recovery_buffer};
}

Profile plain(const StoredProfile& stored) {
  const auto& profile = stored.profile;
  return {profile.name, profile.base, profile.per_batch, profile.per_token, stored.growth_rate, stored.recovery_buffer};
}

/// (what is asked for or None, the error's code, the error).
template <typename T, typename Convert>
nb::tuple answer(const Result<T>& result, Convert convert) {
  if (result) return nb::make_tuple(convert(*result), "", "");
  return nb::make_tuple(nb::none(), nb::str(to_string(result.error().code()).data()), result.error().describe());
}

nb::tuple profile_of_estimate(const std::string& runtime, const EstimateRequest& request, const std::string& name,
                              std::uint64_t context_low) {
  const auto profile = [&] {
    const Outside outside;
    return profile_of_model({request, runtime, name, context_low});
  }();
  return answer(profile, [](const ModelProfile& model) { return plain({model}); });
}

std::filesystem::path path_of(const nb::bytes& path) { return std::string(path.c_str(), path.size()); }

nb::tuple read_profiles(const nb::bytes& path) {
  const auto file = path_of(path);
  const auto profiles = [&] {
    const Outside outside;
    return load_profiles(file);
  }();
  return answer(profiles, [](const std::vector<StoredProfile>& all) {
    std::vector<Profile> list;
    for (const auto& each : all) list.push_back(plain(each));
    return list;
  });
}

nb::tuple write_profiles(const nb::bytes& path, const std::vector<Profile>& profiles) {
  std::vector<StoredProfile> all;
  for (const auto& each : profiles) all.push_back(stored(each));
  const auto file = path_of(path);
  const auto saved = [&] {
    const Outside outside;
    return save_profiles(file, all).map([] { return true; });
  }();
  return answer(saved, [](bool is_saved) { return is_saved; });
}

nb::object to_python(const std::optional<LearnedSize>& size) {
  return size ? nb::object(nb::make_tuple(size->bytes, size->error)) : nb::none();
}

/// Field for field as ProfileFit has them in Python.
nb::tuple fit(const ProfileLearner& learner) {
  const auto fit = learner.fit();
  return nb::make_tuple(to_python(fit.base), to_python(fit.per_batch), to_python(fit.per_token), fit.observations,
                        fit.held, fit.settings, fit.outliers, fit.residual, fit.lacking);
}

void add(ProfileLearner& learner, std::uint64_t batch, std::uint64_t tokens, Bytes used) {
  const auto added = learner.add({batch, tokens, used});
  if (!added) throw nb::value_error(added.error().describe().c_str());
}

}  // namespace

void bind_profiles(nb::module_& module) {
  nb::class_<ProfileLearner>(module, "ProfileLearner")
      .def(nb::init<Bytes>(), "jitter"_a)
      .def("add", &add, "batch"_a, "tokens"_a, "used"_a)
      .def("fit", &fit)
      .def("reset", &ProfileLearner::reset);
  module.def("profile_of_estimate", &profile_of_estimate, "runtime"_a, "request"_a, "name"_a, "context_low"_a);
  module.def("load_profiles", &read_profiles, "path"_a);
  module.def("save_profiles", &write_profiles, "path"_a, "profiles"_a);
}

}  // namespace dualgpuopt::memory::python
