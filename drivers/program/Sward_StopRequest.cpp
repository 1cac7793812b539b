#include "Sward_StopRequest.hpp"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <system_error>

namespace Sward {

namespace {

constexpr long long repeat_nanoseconds = 5'000'000'000;

// Both are written by the signal handler: lock-free, or it could not use them.
std::atomic<bool> requested{false};
std::atomic<long long> first_request{0};
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<long long>::is_always_lock_free);

long long now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);  // cannot fail for this clock, and is safe in a signal handler
  return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
}

void note_request(int signal) {
  const int saved_errno = errno;
  if (!requested.exchange(true)) {
    first_request = now();
  } else if (now() - first_request > repeat_nanoseconds) {
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

bool stop_is_requested() { return requested; }

}  // namespace Sward
