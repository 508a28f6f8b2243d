#include "models/name_pattern.h"

#include "core/format.h"
#include "models/pattern_parser.h"

namespace dualgpuopt::memory {
namespace {

using State = NamePattern::State;
using StateKind = NamePattern::State::Kind;
using NodeKind = PatternNode::Kind;

/// Builds the machine from its end: each part is given the state that follows it, and gives the one it begins with.
class Compiler {
 public:
  [[nodiscard]] std::size_t add(State state) {
    if (!is_full()) states_.push_back(state);
    return states_.size() - 1;
  }

  [[nodiscard]] std::size_t compile(const PatternNode& node, std::size_t next) {
    ++steps_;
    if (is_full()) return 0;
    switch (node.kind) {
      case NodeKind::Set: return add({StateKind::Character, next, 0, node.set});
      case NodeKind::Begin: return add({StateKind::Begin, next});
      case NodeKind::End: return add({StateKind::End, next});
      case NodeKind::Sequence: return sequence(node, next);
      case NodeKind::Choice: return choice(node, next);
      case NodeKind::Repeat: return repeat(node, next);
    }
    return 0;
  }

  /// Parts that become nothing count too: empty groups repeated within one another must come to an end.
  [[nodiscard]] bool is_full() const {
    return states_.size() >= NamePattern::kMostStates || steps_ >= 4 * NamePattern::kMostStates;
  }
  [[nodiscard]] std::vector<State> states() { return std::move(states_); }

 private:
  [[nodiscard]] std::size_t sequence(const PatternNode& node, std::size_t next) {
    for (auto part = node.parts.rbegin(); part != node.parts.rend(); ++part) next = compile(*part, next);
    return next;
  }

  [[nodiscard]] std::size_t choice(const PatternNode& node, std::size_t next) {
    auto start = compile(node.parts.back(), next);
    for (auto part = node.parts.rbegin() + 1; part != node.parts.rend(); ++part)
      start = add({StateKind::Fork, compile(*part, next), start});
    return start;
  }

  [[nodiscard]] std::size_t repeat(const PatternNode& node, std::size_t next) {
    const auto& part = node.parts.front();
    const auto after = next;
    if (node.most == PatternNode::kAny) {
      next = add({StateKind::Fork, 0, after});
      const auto loop = next;
      const auto body = compile(part, loop);
      states_[loop].next = body;
    } else {
      for (auto i = node.least; i < node.most && !is_full(); ++i)
        next = add({StateKind::Fork, compile(part, next), after});
    }
    for (std::uint32_t i = 0; i < node.least && !is_full(); ++i) next = compile(part, next);
    return next;
  }

  std::vector<State> states_;
  std::size_t steps_ = 0;
};

/// All states that the machine can be in at one place of the name.
class StateSet {
 public:
  StateSet(const std::vector<State>& states, std::size_t length)
      : states_(&states), length_(length), is_in_(states.size()) {}

  /// With all that can be reached without a character.
  void add(std::size_t start, std::size_t place) {
    pending_.push_back(start);
    while (!pending_.empty()) {
      const auto index = pending_.back();
      pending_.pop_back();
      if (is_in_[index]) continue;
      is_in_[index] = true;
      members_.push_back(index);
      const auto& state = (*states_)[index];
      const bool passes = state.kind == StateKind::Fork || (state.kind == StateKind::Begin && place == 0) ||
                          (state.kind == StateKind::End && place == length_);
      if (passes) pending_.push_back(state.next);
      if (state.kind == StateKind::Fork) pending_.push_back(state.other);
      if (state.kind == StateKind::Match) matches_ = true;
    }
  }

  void clear() {
    for (const auto index : members_) is_in_[index] = false;
    members_.clear();
  }

  [[nodiscard]] bool matches() const { return matches_; }
  [[nodiscard]] const std::vector<std::size_t>& members() const { return members_; }

 private:
  const std::vector<State>* states_;
  std::size_t length_;
  std::vector<bool> is_in_;
  std::vector<std::size_t> members_;
  std::vector<std::size_t> pending_;
  bool matches_ = false;
};

}  // namespace

Result<NamePattern> NamePattern::parse(std::string_view pattern) {
  if (pattern.empty()) return fail(ErrorCode::InvalidArgument, "the pattern is empty");
  if (pattern.size() > kLongest)
    return fail(ErrorCode::InvalidArgument, format_text("the pattern is longer than {} bytes", kLongest));
  const auto tree = parse_pattern(pattern);
  if (!tree) return fail(tree.error());
  Compiler compiler;
  const auto end = compiler.add({});
  const auto start = compiler.compile(*tree, end);
  if (compiler.is_full())
    return fail(ErrorCode::InvalidArgument, format_text("its repetitions come to more than {} states", kMostStates));
  return NamePattern(compiler.states(), start);
}

bool NamePattern::is_found_in(std::string_view name) const {
  StateSet now(states_, name.size());
  StateSet then(states_, name.size());
  for (std::size_t place = 0; place <= name.size(); ++place) {
    now.add(start_, place);
    if (now.matches()) return true;
    if (place == name.size()) break;
    for (const auto index : now.members()) {
      const auto& state = states_[index];
      if (state.kind == State::Kind::Character && state.set[static_cast<unsigned char>(name[place])])
        then.add(state.next, place + 1);
    }
    now.clear();
    std::swap(now, then);
  }
  return false;
}

}  // namespace dualgpuopt::memory
