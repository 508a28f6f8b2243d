#include "models/pattern_parser.h"

#include <charconv>
#include <optional>

#include "core/format.h"

namespace dualgpuopt::memory {
namespace {

using Set = std::bitset<256>;
using Kind = PatternNode::Kind;

std::size_t code(char c) { return static_cast<unsigned char>(c); }

void add_range(Set& set, char first, char last) {
  for (auto c = code(first); c <= code(last); ++c) set.set(c);
}

Set single(char c) { return Set().set(code(c)); }

/// \d, \w, \s and their opposites; empty for any other letter.
std::optional<Set> named_set(char letter) {
  Set set;
  const char lower = letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  if (lower == 'd' || lower == 'w') add_range(set, '0', '9');
  if (lower == 'w') {
    add_range(set, 'a', 'z');
    add_range(set, 'A', 'Z');
    set.set(code('_'));
  }
  if (lower == 's') {
    for (const char c : {' ', '\t', '\n', '\r', '\f', '\v'}) set.set(code(c));
  }
  if (set.none()) return std::nullopt;
  return letter == lower ? set : ~set;
}

bool is_letter_or_digit(char c) { return (*named_set('w'))[code(c)] && c != '_'; }

/// Recursive descent; the first error stays, and ends all loops.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  [[nodiscard]] Result<PatternNode> parse() {
    auto node = choice();
    if (!at_end()) refuse("a ) without its (");
    if (!error_.empty()) return fail(ErrorCode::InvalidArgument, error_);
    return node;
  }

 private:
  static constexpr int kDeepest = 32;
  static constexpr std::uint32_t kMostRepetitions = 1000;

  [[nodiscard]] bool at_end() const { return !error_.empty() || at_ == text_.size(); }
  [[nodiscard]] bool is_next(char c) const { return !at_end() && text_[at_] == c; }
  bool take(std::string_view word) {
    if (at_end() || !text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  void refuse(std::string_view why) {
    if (error_.empty()) error_ = format_text("at character {}: {}", at_ + 1, why);
  }

  [[nodiscard]] PatternNode choice() {
    PatternNode node{Kind::Choice};
    do {
      node.parts.push_back(sequence());
    } while (take("|"));
    return node;
  }

  [[nodiscard]] PatternNode sequence() {
    PatternNode node{Kind::Sequence};
    while (!at_end() && !is_next('|') && !is_next(')')) node.parts.push_back(repeated());
    return node;
  }

  [[nodiscard]] PatternNode repeated() {
    auto node = atom();
    PatternNode repeat{Kind::Repeat};
    if (take("*")) {
    } else if (take("+")) {
      repeat.least = 1;
    } else if (take("?")) {
      repeat.most = 1;
    } else if (take("{")) {
      bounds(repeat);
    } else {
      return node;
    }
    take("?");  // as few as can be: the same where only a match is asked for
    repeat.parts.push_back(std::move(node));
    return repeat;
  }

  void bounds(PatternNode& repeat) {
    repeat.least = repeat.most = number();
    if (take(",")) repeat.most = is_next('}') ? PatternNode::kAny : number();
    if (!take("}")) refuse("expected the } of a repetition");
    if (repeat.most < repeat.least) refuse("the most of a repetition is less than the least");
  }

  [[nodiscard]] std::uint32_t number() {
    std::uint32_t value = 0;
    const auto* const begin = text_.data() + at_;
    const auto [end, problem] = std::from_chars(begin, text_.data() + text_.size(), value);
    if (problem != std::errc() || value > kMostRepetitions) {
      refuse(format_text("expected a number of repetitions up to {}", kMostRepetitions));
      return 0;
    }
    at_ += static_cast<std::size_t>(end - begin);
    return value;
  }

  [[nodiscard]] PatternNode atom() {
    if (take("(")) return group();
    if (take("[")) return one_of(bracket());
    if (take("^")) return {Kind::Begin};
    if (take("$")) return {Kind::End};
    if (take(".")) return one_of(~(single('\n') | single('\r')));
    if (take("\\")) return one_of(escaped());
    if (is_next('*') || is_next('+') || is_next('?') || is_next('{')) {
      refuse("there is nothing to repeat");
      return {};
    }
    return one_of(single(text_[at_++]));
  }

  [[nodiscard]] static PatternNode one_of(const Set& set) { return {Kind::Set, set}; }

  [[nodiscard]] PatternNode group() {
    if (++depth_ > kDeepest) refuse(format_text("more than {} groups in one another", kDeepest));
    if (is_next('?') && !take("?:")) refuse("looking ahead is not supported");
    auto node = choice();
    if (!take(")")) refuse("expected the ) of a group");
    --depth_;
    return node;
  }

  [[nodiscard]] Set escaped() {
    if (at_end()) {
      refuse("a \\ with nothing behind it");
      return {};
    }
    const char c = text_[at_];
    if (const auto set = named_set(c)) return ++at_, *set;
    if (is_letter_or_digit(c)) refuse(format_text("\\{} is not supported", c));
    ++at_;
    return single(c);
  }

  [[nodiscard]] Set bracket() {
    const bool is_negated = take("^");
    Set set;
    while (!at_end() && !is_next(']')) set |= bracket_part();
    if (!take("]")) refuse("expected the ] of a class");
    return is_negated ? ~set : set;
  }

  [[nodiscard]] Set bracket_part() {
    if (take("[:")) refuse("[: :] is not supported");
    if (take("\\")) return escaped();
    if (at_end()) return {};
    const char first = text_[at_++];
    if (!is_next('-') || at_ + 1 >= text_.size() || text_[at_ + 1] == ']') return single(first);
    const char last = text_[at_ + 1];
    if (code(last) < code(first)) refuse("a range that ends before it begins");
    at_ += 2;
    Set set;
    add_range(set, first, last);
    return set;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
  std::string error_;
};

}  // namespace

Result<PatternNode> parse_pattern(std::string_view pattern) { return Parser(pattern).parse(); }

}  // namespace dualgpuopt::memory
