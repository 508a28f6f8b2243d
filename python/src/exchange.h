// Questions that the core's threads ask, and that Python code answers on threads of Python's own.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "dualgpuopt/memory/recovery/strategy.h"
#include "dualgpuopt/memory/sources/memory_source.h"

namespace dualgpuopt::memory::python {

struct EnumerateQuestion {};
struct ReadQuestion {
  int gpu = 0;
  ReadDetail detail = ReadDetail::Memory;
};
struct ReleaseQuestion {};

using Question = std::variant<EnumerateQuestion, ReadQuestion, ReleaseQuestion, RecoveryRequest>;
/// Of the question's kind; a text is why there is no answer. Release is answered with an empty list.
using Answer = std::variant<std::string, std::vector<Device>, Reading, StrategyAnswer>;

/// One question on its way. Its asker may have given up by the time it is answered.
class Enquiry {
 public:
  explicit Enquiry(Question question) : question_(std::move(question)) {}
  [[nodiscard]] const Question& question() const { return question_; }
  /// The first answer counts.
  void answer(Answer answer);
  [[nodiscard]] Answer wait();

 private:
  const Question question_;
  std::mutex mutex_;
  std::condition_variable answered_;
  std::optional<Answer> answer_;
};

/// A queue of enquiries with one side in C++, which never touches Python, and one in Python. No C++ thread ever takes
/// the GIL: an interpreter that ends, forks or holds the GIL for long can therefore not break one. Thread-safe.
///
/// Made by std::make_shared, and handed from Python to C++ by shared_from_this(): of an object that Python made,
/// nanobind would make a shared_ptr whose end takes the GIL, on whatever thread that comes.
class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  /// Waits for the answer, or until the exchange is closed.
  [[nodiscard]] Answer ask(Question question);
  /// The next question; null when it is closed or the time is over.
  [[nodiscard]] std::shared_ptr<Enquiry> next(std::chrono::nanoseconds timeout);
  /// Every question, now and later, is answered with the text that nobody is there any more.
  void close();
  [[nodiscard]] bool closed() const { return closed_; }

 private:
  std::mutex mutex_;
  std::condition_variable asked_;
  std::deque<std::shared_ptr<Enquiry>> waiting_;
  std::vector<std::weak_ptr<Enquiry>> taken_;
  std::atomic<bool> closed_{false};
};

}  // namespace dualgpuopt::memory::python
