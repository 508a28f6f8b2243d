#include "dualgpuopt/memory/predictor/profile_learner.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/format.h"
#include "predictor/nonnegative_fit.h"

namespace dualgpuopt::memory {
namespace {

/// A setting and what counts for it, in numbers that are exact in floating point.
struct Point {
  std::int64_t batch = 0;
  std::int64_t tokens = 0;
  double used = 0;
};

/// How the settings lie to each other, and so what they can tell.
enum class Spread { Nothing, OneSetting, TokensAlone, BatchAlone, Together, Free };

bool is_aligned(const Point& origin, const Point& a, const Point& b) {
  return (a.batch - origin.batch) * (b.tokens - origin.tokens) == (a.tokens - origin.tokens) * (b.batch - origin.batch);
}

Spread spread_of(const std::vector<Point>& points) {
  if (points.empty()) return Spread::Nothing;
  if (points.size() == 1) return Spread::OneSetting;
  const auto& first = points.front();
  const auto& second = points[1];  // another setting than the first
  for (const auto& point : points) {
    if (!is_aligned(first, second, point)) return Spread::Free;
  }
  if (first.batch == second.batch) return Spread::TokensAlone;
  return first.tokens == second.tokens ? Spread::BatchAlone : Spread::Together;
}

/// Whether batch 0 with 0 tokens lies on the line of the settings.
bool reaches_load(const std::vector<Point>& points, Spread spread) {
  if (spread == Spread::Free) return true;
  const Point load;
  if (spread == Spread::OneSetting) return points.front().batch == 0 && points.front().tokens == 0;
  return spread != Spread::Nothing && is_aligned(points[0], points[1], load);
}

std::string lacking(const std::vector<Point>& points, Spread spread) {
  switch (spread) {
    case Spread::Nothing: return "nothing was observed yet";
    case Spread::OneSetting: return "only one batch and number of tokens was observed: observe others";
    case Spread::TokensAlone:
      return format_text("the batch was always {}: observe another, or the load with batch 0", points.front().batch);
    case Spread::BatchAlone:
      return format_text("the number of tokens was always {}: observe another", points.front().tokens);
    case Spread::Together: return "batch and tokens always varied together: vary one of them alone";
    case Spread::Free: return {};
  }
  return {};
}

/// The columns beside the constant: what varies.
std::vector<FitRow> rows_of(const std::vector<Point>& points, Spread spread) {
  std::vector<FitRow> rows;
  for (const auto& point : points) {
    const auto batch = static_cast<double>(point.batch);
    const auto tokens = static_cast<double>(point.tokens);
    const auto columns = spread == Spread::BatchAlone ? FitColumns{1, batch, 0}
                         : spread == Spread::Free     ? FitColumns{1, batch, tokens}
                                                      : FitColumns{1, tokens, 0};
    rows.push_back({columns, point.used});
  }
  return rows;
}

std::size_t columns_of(Spread spread) {
  if (spread == Spread::Free) return 3;
  return spread == Spread::OneSetting ? 1 : 2;
}

LearnedSize size_of(const NonnegativeFit& fit, std::size_t column) {
  LearnedSize size{static_cast<Bytes>(std::llround(fit.coefficients[column]))};
  if (fit.errors) size.error = (*fit.errors)[column];
  return size;
}

void fill_in(ProfileFit& answer, const std::vector<Point>& points, Spread spread) {
  if (spread == Spread::Nothing) return;
  const auto fit = fit_nonnegative(rows_of(points, spread), columns_of(spread));
  answer.outliers = fit.outliers;
  answer.residual = fit.residual;
  if (reaches_load(points, spread)) answer.base = size_of(fit, 0);
  if (spread == Spread::BatchAlone || spread == Spread::Free) answer.per_batch = size_of(fit, 1);
  if (spread == Spread::TokensAlone) answer.per_token = size_of(fit, 1);
  if (spread == Spread::Free) answer.per_token = size_of(fit, 2);
}

tl::unexpected<Error> too_much(std::string_view what, std::uint64_t amount, std::uint64_t most) {
  return fail(ErrorCode::InvalidArgument, format_text("{}: {} is more than {}", what, amount, most));
}

}  // namespace

Result<ModelProfile> ProfileFit::profile(std::string name) const {
  if (!complete()) return fail(ErrorCode::Unavailable, "the profile is not known yet: " + lacking);
  return ModelProfile{std::move(name), base->bytes, per_batch->bytes, per_token->bytes};
}

Result<void> ProfileLearner::add(const ProfileObservation& seen) {
  if (seen.batch > kMostCount) return too_much("batch", seen.batch, kMostCount);
  if (seen.tokens > kMostCount) return too_much("tokens", seen.tokens, kMostCount);
  if (seen.used > kMostBytes) return too_much("used", seen.used, kMostBytes);
  ++observations_;
  if (is_held(seen)) {
    ++held_;
    level_->used = std::max(level_->used, seen.used);
    return {};
  }
  level_ = seen;
  remember(seen);
  return {};
}

bool ProfileLearner::is_held(const ProfileObservation& seen) const {
  if (!level_ || (seen.batch >= level_->batch && seen.tokens >= level_->tokens)) return false;
  const bool exceeds_in_none = seen.batch <= level_->batch && seen.tokens <= level_->tokens;
  const bool is_not_lower = level_->used <= jitter_ || seen.used >= level_->used - jitter_;
  return is_not_lower && (exceeds_in_none || seen.used <= level_->used + std::min(jitter_, kMostBytes));
}

void ProfileLearner::remember(const ProfileObservation& seen) {
  const auto [place, is_new] = settings_.try_emplace({seen.batch, seen.tokens}, seen.used);
  const bool is_load = seen.batch == 0 && seen.tokens == 0;
  place->second = is_load ? std::min(place->second, seen.used) : std::max(place->second, seen.used);
  if (is_new && settings_.size() > kMostSettings) forget_every_second();
}

/// The first and the last stay, so that the range does.
void ProfileLearner::forget_every_second() {
  bool is_second = false;
  std::erase_if(settings_, [&, last = settings_.rbegin()->first](const auto& entry) {
    is_second = !is_second;
    return !is_second && entry.first != last;
  });
}

ProfileFit ProfileLearner::fit() const {
  std::vector<Point> points;
  points.reserve(settings_.size());
  for (const auto& [setting, used] : settings_) {
    points.push_back({static_cast<std::int64_t>(setting.batch), static_cast<std::int64_t>(setting.tokens),
                      static_cast<double>(used)});
  }
  const auto spread = spread_of(points);
  ProfileFit answer;
  answer.observations = observations_;
  answer.held = held_;
  answer.settings = points.size();
  answer.lacking = lacking(points, spread);
  fill_in(answer, points, spread);
  return answer;
}

}  // namespace dualgpuopt::memory
