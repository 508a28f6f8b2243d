#include "exchange.h"

#include <algorithm>

namespace dualgpuopt::memory::python {
namespace {

constexpr auto kClosed = "the monitor was closed";

}  // namespace

void Enquiry::answer(Answer answer) {
  const std::lock_guard lock(mutex_);
  if (answer_) return;
  answer_ = std::move(answer);
  answered_.notify_all();
}

Answer Enquiry::wait() {
  std::unique_lock lock(mutex_);
  answered_.wait(lock, [this] { return answer_.has_value(); });
  return *answer_;
}

Answer Exchange::ask(Question question) {
  const auto enquiry = std::make_shared<Enquiry>(std::move(question));
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return kClosed;
    waiting_.push_back(enquiry);
  }
  asked_.notify_one();
  return enquiry->wait();
}

std::shared_ptr<Enquiry> Exchange::next(std::chrono::nanoseconds timeout) {
  std::unique_lock lock(mutex_);
  asked_.wait_for(lock, timeout, [this] { return closed_ || !waiting_.empty(); });
  if (closed_ || waiting_.empty()) return nullptr;
  auto enquiry = std::move(waiting_.front());
  waiting_.pop_front();
  std::erase_if(taken_, [](const std::weak_ptr<Enquiry>& taken) { return taken.expired(); });
  taken_.push_back(enquiry);
  return enquiry;
}

void Exchange::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  for (const auto& enquiry : waiting_) enquiry->answer(kClosed);
  for (const auto& taken : taken_) {
    if (const auto enquiry = taken.lock()) enquiry->answer(kClosed);
  }
  waiting_.clear();
  asked_.notify_all();
}

}  // namespace dualgpuopt::memory::python
