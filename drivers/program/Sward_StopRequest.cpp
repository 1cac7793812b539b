#include "Sward_StopRequest.hpp"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <system_error>

namespace Sward {

namespace {

constexpr long long repeat_nanoseconds = 5'000'000'000;

// When the first request came, or 0. Written by the signal handler: lock-free, or it could not use it.
std::atomic<long long> first_request{0};
static_assert(std::atomic<long long>::is_always_lock_free);

long long now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);  // cannot fail for this clock, and is safe in a signal handler
  return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
}

void note_request(int signal) {
  const int saved_errno = errno;
  long long first = 0;
  if (!first_request.compare_exchange_strong(first, now()) && now() - first > repeat_nanoseconds) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
  errno = saved_errno;
}

}  // namespace

void watch_for_stop_signals() {
  struct sigaction action {};
  action.sa_handler = note_request;
  action.sa_flags = SA_RESTART;
  for (const int signal : {SIGUSR1, SIGTERM})
    if (sigaction(signal, &action, nullptr) != 0)
      throw std::system_error(errno, std::generic_category(), "cannot watch for signals");
}

bool stop_is_requested() { return first_request != 0; }

}  // namespace Sward
