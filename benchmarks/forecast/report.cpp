#include "forecast/report.h"

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "core/format.h"

namespace dualgpuopt::memory::forecast_benchmark {
namespace {

using Copies = std::vector<int>;

std::string number(const std::optional<double>& value, int decimals) {
  return value ? format_text("{:.{}f}", *value, decimals) : "none";
}

Copies each_once(const Measurement& measurement) { return Copies(measurement.series.size(), 1); }

template <typename Chosen>
Copies copies_where(const Measurement& measurement, Chosen chosen) {
  Copies copies;
  for (const auto& series : measurement.series) copies.push_back(chosen(series) ? 1 : 0);
  return copies;
}

std::vector<std::string> repositories(const Measurement& measurement) {
  std::set<std::string> names;
  for (const auto& series : measurement.series) names.insert(series.repository);
  return {names.begin(), names.end()};
}

/// As many repositories as there are, drawn with replacement.
std::vector<Copies> resampled(const Measurement& measurement, int count) {
  const auto names = repositories(measurement);
  std::mt19937_64 random(20261124);
  std::vector<Copies> all;
  for (int n = 0; n < count; ++n) {
    std::map<std::string, int> drawn;
    for (std::size_t i = 0; i < names.size(); ++i) ++drawn[names[random() % names.size()]];
    Copies copies;
    for (const auto& series : measurement.series) {
      const auto found = drawn.find(series.repository);
      copies.push_back(found == drawn.end() ? 0 : found->second);
    }
    all.push_back(std::move(copies));
  }
  return all;
}

std::string interval(std::vector<double> values) {
  if (values.empty()) return "none";
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) {
    return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
  };
  return format_text("{:.2f} to {:.2f}", at(0.025), at(0.975));
}

std::vector<std::optional<double>> precisions(const Measured& measured, const std::vector<Copies>& resamples) {
  const Ranking ranking(measured.judged);
  std::vector<std::optional<double>> values;
  for (const auto& copies : resamples) values.push_back(ranking.average_precision(copies));
  return values;
}

std::string row_of(const std::string& name, const Score& score) {
  return format_text("| {} | {} | {} | {:.2f} | {} | {:.2f} | {:.3f} | {:.3f} |\n", name,
                     number(score.average_precision, 3), score.events, score.recall(), number(score.median_lead, 0),
                     score.false_per_hour(), score.alarm_share(), score.calibration_error);
}

constexpr const char* kBreakdownHead =
    "| {} | AP | events | recall | lead s | false/GPU-h | share | ECE |\n|---|---|---|---|---|---|---|---|\n";

template <typename Key>
std::string table_by(const Measurement& measurement, const std::string& title, Key key) {
  std::set<std::string> names;
  for (const auto& series : measurement.series) names.insert(key(series));
  auto text = format_text(fmt::runtime(kBreakdownHead), title);
  const auto& ours = measurement.candidates.front().judged;
  for (const auto& name : names) {
    const auto copies = copies_where(measurement, [&](const Series& series) { return key(series) == name; });
    text += row_of(name, score(ours, copies, measurement.horizon));
  }
  return text + "\n";
}

std::string left_out(const Measurement& measurement) {
  auto text = format_text(fmt::runtime(kBreakdownHead), "left out");
  for (const auto& name : repositories(measurement)) {
    const auto copies = copies_where(measurement, [&](const Series& series) { return series.repository != name; });
    text += row_of(name, score(measurement.candidates.front().judged, copies, measurement.horizon));
  }
  return text + "\n";
}

// The picture's panel, in pixels, and its scales.
constexpr double kLeft = 60;
constexpr double kTop = 20;
constexpr double kWide = 560;
constexpr double kHigh = 360;
constexpr double kMostFalse = 5;

double x_of(double false_per_hour) { return kLeft + kWide * std::min(1.0, false_per_hour / kMostFalse); }
double y_of(double share) { return kTop + kHigh * (1 - std::clamp(share, 0.0, 1.0)); }

std::string text_at(double x, double y, const std::string& text, const std::string& extra = "") {
  return format_text("<text x=\"{:.1f}\" y=\"{:.1f}\" {}>{}</text>\n", x, y, extra, text);
}

std::string dot(double x, double y, const std::string& label, const std::string& colour) {
  return format_text("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\" fill=\"{}\"/>\n", x, y, colour) +
         text_at(x + 7, y + 4, label);
}

std::string axes(const Measurement& measurement) {
  auto text = format_text("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"none\" stroke=\"#888\"/>\n", kLeft,
                          kTop, kWide, kHigh);
  for (int i = 0; i <= 5; ++i) {
    text += text_at(x_of(i), kTop + kHigh + 16, std::to_string(i), "text-anchor=\"middle\"");
    text += text_at(kLeft - 6, y_of(i / 5.0) + 4, format_text("{:.1f}", i / 5.0), "text-anchor=\"end\"");
  }
  text += text_at(kLeft + kWide / 2, kTop + kHigh + 36, "false alarms a GPU-hour", "text-anchor=\"middle\"");
  text += text_at(kLeft + 6, kTop - 6,
                  format_text("blue: recall; orange: median lead, of {:.0f} s; lines: alarms by our risk alone",
                              measurement.horizon));
  return text;
}

}  // namespace

Measurement measure(std::vector<Series> series, double horizon) {
  Measurement measurement{horizon, std::move(series), {}};
  for (auto& kind : all_candidates()) {
    auto judged = judge(kind, measurement.series, horizon);
    measurement.candidates.push_back({std::move(kind), std::move(judged)});
  }
  return measurement;
}

std::string comparison(const Measurement& measurement, int resamples) {
  const auto draws = resampled(measurement, resamples);
  const auto ours = precisions(measurement.candidates.front(), draws);
  std::string text =
      "| | AP | 95 % | ours less it, 95 % | recall | lead s | false/GPU-h | share | ECE |\n"
      "|---|---|---|---|---|---|---|---|---|\n";
  for (const auto& candidate : measurement.candidates) {
    const auto total = score(candidate.judged, each_once(measurement), measurement.horizon);
    const auto theirs = precisions(candidate, draws);
    std::vector<double> values;
    std::vector<double> gains;
    for (std::size_t i = 0; i < theirs.size(); ++i) {
      if (!theirs[i] || !ours[i]) continue;
      values.push_back(*theirs[i]);
      gains.push_back(*ours[i] - *theirs[i]);
    }
    const bool is_ours = &candidate == &measurement.candidates.front();
    text += format_text("| {} | {} | {} | {} | {:.2f} | {} | {:.2f} | {:.3f} | {} |\n", candidate.kind.name,
                        number(total.average_precision, 3), interval(values), is_ours ? "" : interval(gains),
                        total.recall(), number(total.median_lead, 0), total.false_per_hour(), total.alarm_share(),
                        candidate.kind.has_risk ? format_text("{:.3f}", total.calibration_error) : "");
  }
  return text + "\n";
}

std::string breakdown(const Measurement& measurement) {
  return table_by(measurement, "recording", [](const Series& series) { return series.file; }) +
         table_by(measurement, "shape", [](const Series& series) { return series.shape; }) + left_out(measurement);
}

std::string ceiling(const Measurement& measurement) {
  const auto limit = oracle_ceiling(measurement.series, measurement.candidates.front().judged, measurement.horizon);
  return format_text(
      "Of {} events, {} have a scored sample between {:.0f} s and the horizon before them: more cannot be caught by "
      "anybody.\n{} of these rise to where the use had never been, from a plateau that had lasted the whole horizon: "
      "nothing announces them.\n\n",
      limit.events, limit.catchable, kLeastLead, limit.surprises);
}

std::string picture(const Measurement& measurement) {
  const auto everything = each_once(measurement);
  std::string recalls;
  std::string leads;
  std::string dots;
  for (int percent = 5; percent <= 95; percent += 5) {
    const auto at = score(measurement.candidates.front().judged, everything, measurement.horizon, {percent / 100.0});
    recalls += format_text("{:.1f},{:.1f} ", x_of(at.false_per_hour()), y_of(at.recall()));
    if (at.median_lead) {
      leads += format_text("{:.1f},{:.1f} ", x_of(at.false_per_hour()), y_of(*at.median_lead / measurement.horizon));
    }
  }
  for (const auto& candidate : measurement.candidates) {
    const auto at = score(candidate.judged, everything, measurement.horizon);
    dots += dot(x_of(at.false_per_hour()), y_of(at.recall()), candidate.kind.name, "#1f77b4");
    if (at.median_lead) {
      dots += dot(x_of(at.false_per_hour()), y_of(*at.median_lead / measurement.horizon), "", "#ff7f0e");
    }
  }
  return format_text(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"760\" height=\"430\" font-family=\"sans-serif\" "
      "font-size=\"12\">\n{}<polyline points=\"{}\" fill=\"none\" stroke=\"#1f77b4\"/>\n"
      "<polyline points=\"{}\" fill=\"none\" stroke=\"#ff7f0e\"/>\n{}</svg>\n",
      axes(measurement), recalls, leads, dots);
}

}  // namespace dualgpuopt::memory::forecast_benchmark
