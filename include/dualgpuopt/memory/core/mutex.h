// A mutex that clang's thread-safety analysis understands: fields name the lock that guards them, and a build with
// clang refuses code that touches them without it. With other compilers the macros are empty.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define DUALGPUOPT_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define DUALGPUOPT_THREAD_ANNOTATION(x)
#endif

#define DUALGPUOPT_GUARDED_BY(x) DUALGPUOPT_THREAD_ANNOTATION(guarded_by(x))
#define DUALGPUOPT_REQUIRES(...) DUALGPUOPT_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define DUALGPUOPT_EXCLUDES(...) DUALGPUOPT_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))

namespace dualgpuopt::memory {

/// std::mutex with a name that the analysis knows.
class DUALGPUOPT_THREAD_ANNOTATION(capability("mutex")) Mutex {
 public:
  void lock() DUALGPUOPT_THREAD_ANNOTATION(acquire_capability()) { mutex_.lock(); }
  bool try_lock() DUALGPUOPT_THREAD_ANNOTATION(try_acquire_capability(true)) { return mutex_.try_lock(); }
  void unlock() DUALGPUOPT_THREAD_ANNOTATION(release_capability()) { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

/// Holds a Mutex for a scope.
class DUALGPUOPT_THREAD_ANNOTATION(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) DUALGPUOPT_THREAD_ANNOTATION(acquire_capability(mutex)) : mutex_(mutex) {
    mutex_.lock();
  }
  ~MutexLock() DUALGPUOPT_THREAD_ANNOTATION(release_capability()) { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

/// A condition that is waited for while a Mutex is held. As with every condition variable, wait in a loop.
class Condition {
 public:
  void wait(Mutex& mutex) DUALGPUOPT_REQUIRES(mutex) { condition_.wait(mutex); }
  /// Returns false once the deadline has passed.
  bool wait_until(Mutex& mutex, std::chrono::steady_clock::time_point deadline) DUALGPUOPT_REQUIRES(mutex) {
    return condition_.wait_until(mutex, deadline) == std::cv_status::no_timeout;
  }
  bool wait_for(Mutex& mutex, std::chrono::nanoseconds timeout) DUALGPUOPT_REQUIRES(mutex) {
    return wait_until(mutex, std::chrono::steady_clock::now() + timeout);
  }
  void notify_one() { condition_.notify_one(); }
  void notify_all() { condition_.notify_all(); }

 private:
  std::condition_variable_any condition_;
};

}  // namespace dualgpuopt::memory
