#include "dualgpuopt/memory/oom/oom_scanner.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "oom/log_lines.h"
#include "oom/log_prefix.h"
#include "oom/oom_family.h"
#include "oom/text_scan.h"
#include "oom/wrapped_text.h"

namespace dualgpuopt::memory {
namespace {

/// Of the lines after the first, so much is kept.
constexpr std::size_t kLongestRest = 16384;
/// Of lines that may be the beginning of a wrapped message, so much is kept.
constexpr std::size_t kLongestBeginning = 400;

/// Nearly all lines of a log have none of these words; only the others are looked at closely.
bool is_worth_a_look(std::string_view line) {
  return contains_any(
      line, {"memory", "alloc", "exhausted", "kv cache", "fit params", "max seq len", "enough", "oom", "too large",
             "not possible", "vram", "buffer size", "resource", "dst tensor", "self-attention", "signal: killed"});
}

/// Lines of code that raise an error are none: the error itself follows.
bool is_code(std::string_view rest) {
  for (const auto* start : {"raise ", "except ", "throw ", "print(", "if ", "elif ", "assert "}) {
    if (rest.starts_with(start)) return true;
  }
  return false;
}

/// The first family that knows the line, or the number of families.
std::size_t family_of(std::string_view line) {
  const auto& families = oom_families();
  if (!is_worth_a_look(line) || is_code(without_prefix(line))) return families.size();
  const auto knows = std::find_if(families.begin(), families.end(), [&](const auto& f) { return f.starts(line); });
  return static_cast<std::size_t>(knows - families.begin());
}

/// How many facts the family finds in the text.
std::size_t facts_in(std::size_t family, std::string_view text) {
  OomError error;
  oom_families()[family].read(text, error);
  const auto& sizes = oom_sizes();
  const auto known = std::count_if(sizes.begin(), sizes.end(), [&](const auto& s) { return error.*s.member; });
  return static_cast<std::size_t>(known) + error.gpu.has_value() + error.context.has_value() +
         error.cache_tokens.has_value() + error.utilization.has_value();
}

std::optional<OomSource> application_in(std::string_view line) {
  if (contains(line, "vllm") || contains(line, "(enginecore")) return OomSource::Vllm;
  if (contains(line, "sglang")) return OomSource::SgLang;
  if (contains(line, "ollama")) return OomSource::Ollama;
  if (contains(line, "text_generation_")) return OomSource::Tgi;
  return std::nullopt;
}

/// llama.cpp inside Ollama has Ollama's knobs; PyTorch inside a server has the server's.
void take_application(OomError& error, const std::optional<OomSource>& application) {
  if (application == OomSource::Ollama) {
    if (error.source == OomSource::LlamaCpp || error.source == OomSource::Cuda) error.source = OomSource::Ollama;
    return;
  }
  if (error.source == OomSource::PyTorch || error.source == OomSource::Cuda) error.application = application;
}

/// Attempts that a program makes again with other sizes are one.
std::optional<Bytes> size_that_tells(const OomError& error) {
  const bool is_tried_again = error.source == OomSource::TensorFlow && contains(error.text, "from device");
  return error.fatal && !is_tried_again ? error.requested : std::nullopt;
}

auto kind_of(const OomError& error) {
  return std::tuple(error.source, error.backend, error.phase, error.fatal, error.gpu, size_that_tells(error),
                    error.total, error.cache_needed, error.cache_left, error.context);
}

/// A line that begins as a message of its own does.
bool is_own_message(std::string_view rest) {
  const auto token = rest.substr(0, rest.find(' '));
  return token.ends_with("error:") || rest.starts_with("cuda error") || rest.starts_with("hip error");
}

}  // namespace

void OomScanner::feed(std::string_view piece) {
  while (!piece.empty()) {
    const auto end = std::min(piece.find_first_of("\r\n"), piece.size());
    line_.append(piece.substr(0, std::min(end, kLongestLine - line_.size())));
    if (end == piece.size()) return;
    end_line();
    if (piece[end] == '\n') ++number_;
    piece.remove_prefix(end + 1);
  }
}

void OomScanner::end_line() {
  take(line_);
  line_.clear();
}

void OomScanner::take(std::string_view raw) {
  const auto line = normalized(raw);
  if (line.empty()) return;
  if (!application_) application_ = application_in(line);
  const auto rest = without_prefix(line);
  const auto& families = oom_families();
  const auto whole = with_unfinished(rest);
  if (goes_on(line) || goes_on(rest) || goes_on(whole)) {
    passed_ = 0;
    return extend(rest);
  }
  const auto alone = family_of(line);
  if (is_inside(alone, rest)) return extend(rest);
  const auto joined = family_of(whole);
  const bool is_joined = joined < families.size() && joined <= alone &&
                         (alone == families.size() || facts_in(joined, whole) > facts_in(alone, line));
  if (is_joined) return open(joined, whole, whole);
  if (alone < families.size()) return open(alone, raw, line);
  unfinished_ = whole.empty() ? std::string(rest) : whole;
  pass_over(line, rest);
}

/// Whether the open error's family says that the line is of it.
bool OomScanner::goes_on(std::string_view line) const {
  return family_ && oom_families()[*family_].continues(text_, line);
}

/// The line after those before it, where they may be one sentence; else empty.
std::string OomScanner::with_unfinished(std::string_view rest) const {
  if (unfinished_length_ == 0 || !may_go_on(unfinished_, unfinished_length_, rest)) return "";
  auto whole = unfinished_;
  append_wrapped(whole, rest);
  return whole;
}

/// What is no beginning: it may be the rest of an error's message, or the beginning of a wrapped one.
void OomScanner::pass_over(std::string_view line, std::string_view rest) {
  if (unfinished_.size() > kLongestBeginning) unfinished_.erase(0, unfinished_.size() - kLongestBeginning);
  unfinished_length_ = line.size();
  if (!family_) return;
  const auto patience = oom_families()[*family_].patience;
  if (++passed_ > patience) return close();
  if (passed_ <= kWrappedLines) append_wrapped(text_, rest.substr(0, kLongestRest));
  is_next_ = is_next_ && passed_ <= kWrappedLines;
}

/// Whether a line with words of another family still is of the open error, which was wrapped before them.
bool OomScanner::is_inside(std::size_t family, std::string_view rest) const {
  if (!family_ || !is_next_ || family >= oom_families().size() || family < *family_) return false;
  if (family == *family_ && !rest.starts_with('/')) return false;  // a path in the middle of it
  return may_go_on(text_, text_.size(), rest) && !text_.ends_with(')') && !is_own_message(rest);
}

void OomScanner::open(std::size_t family, std::string_view raw, std::string text) {
  close();
  family_ = family;
  text_ = std::move(text);
  message_ = readable(raw);
  start_ = number_;
  passed_ = 0;
  is_next_ = true;
  unfinished_length_ = 0;
}

void OomScanner::extend(std::string_view rest) {
  is_next_ = true;
  unfinished_length_ = 0;
  if (text_.size() + rest.size() < kLongestLine + kLongestRest) append_wrapped(text_, rest);
}

void OomScanner::close() {
  if (!family_) return;
  OomError error;
  oom_families()[*family_].read(text_, error);
  error.text = std::exchange(message_, {});
  error.line = start_;
  take_application(error, application_);
  complete(error);
  keep(std::move(error));
  family_.reset();
}

void OomScanner::keep(OomError error) {
  const auto alike = std::find_if(found_.begin(), found_.end(),
                                  [&](const OomError& known) { return kind_of(known) == kind_of(error); });
  if (alike != found_.end()) {
    ++alike->times;
  } else if (found_.size() < kMostErrors) {
    found_.push_back(std::move(error));
  } else {
    ++omitted_;
  }
}

std::vector<OomError> OomScanner::finish() {
  end_line();
  close();
  std::stable_partition(found_.begin(), found_.end(), [](const OomError& error) { return error.fatal; });
  return std::move(found_);
}

}  // namespace dualgpuopt::memory
