#pragma once

#include <stdexcept>
#include <string>

#include "sward.h"

namespace Sward::C {

/// The caller's function that adds up messages has failed.
class AddUpError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Kokkos does not run.
class NotRunningError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Inside of a handler: the status of the exception, whose text becomes that of sward_last_error.
sward_status take_exception() noexcept;

/// Throws NotRunningError unless Kokkos runs.
void require_running(const char* function);

/// Throws std::invalid_argument with "function: argument is NULL".
void require_pointer(const char* function, const char* argument, const void* pointer);

/// Throws std::invalid_argument with the function and the sentence.
[[noreturn]] void refuse(const char* function, const std::string& sentence);

/// Throws std::invalid_argument unless least <= value <= most.
void require_range(const char* function, const char* argument, std::int64_t value, std::int64_t least,
                   std::int64_t most);

/// Instances and optimizers that there are, without which Kokkos may end.
void count_handles(int change) noexcept;

/// What every function of the interface does: body(), of which no exception leaves.
template <class Body>
sward_status call_anytime(const Body& body) noexcept {
  try {
    body();
    return SWARD_SUCCESS;
  } catch (...) {
    return take_exception();
  }
}

/// The same where Kokkos has to run.
template <class Body>
sward_status call(const char* function, const Body& body) noexcept {
  return call_anytime([&] {
    require_running(function);
    body();
  });
}

}  // namespace Sward::C
