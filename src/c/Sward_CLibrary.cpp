#include <Kokkos_Core.hpp>
#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>
#include <new>

#include "Sward_CInstance.hpp"
#include "Sward_Check.hpp"

namespace Sward::C {

namespace {

constexpr std::size_t text_size = 1024;
thread_local char last_error[text_size] = "";

std::atomic<int> handles = 0;
std::mutex start_mutex;
int starts = 0;
bool owns_kokkos = false;

sward_status fail(sward_status status, const char* text) noexcept {
  const std::size_t length = std::min(std::strlen(text), text_size - 1);
  std::memcpy(last_error, text, length);
  last_error[length] = '\0';
  return status;
}

}  // namespace

sward_status take_exception() noexcept {
  try {
    throw;
  } catch (const ExtentError& error) {
    return fail(SWARD_EXTENT_MISMATCH, error.what());
  } catch (const AddUpError& error) {
    return fail(SWARD_COMMUNICATION, error.what());
  } catch (const NotRunningError& error) {
    return fail(SWARD_NOT_INITIALIZED, error.what());
  } catch (const std::bad_alloc&) {
    return fail(SWARD_OUT_OF_MEMORY, "Sward: no memory on the host");
  } catch (const std::logic_error& error) {
    return fail(SWARD_INVALID_ARGUMENT, error.what());
  } catch (const std::exception& error) {
    // Kokkos has no type of its own for this.
    const bool is_allocation = std::strstr(error.what(), "memory space failed to allocate") != nullptr;
    return fail(is_allocation ? SWARD_OUT_OF_MEMORY : SWARD_INTERNAL, error.what());
  } catch (...) {
    return fail(SWARD_INTERNAL, "Sward: an exception without a text");
  }
}

void require_running(const char* function) {
  if (!Kokkos::is_initialized())
    throw NotRunningError(std::string(function) +
                          (Kokkos::is_finalized() ? ": Kokkos has ended" : ": there was no sward_initialize"));
}

void require_pointer(const char* function, const char* argument, const void* pointer) {
  if (pointer == nullptr) refuse(function, std::string(argument) + " is NULL");
}

void refuse(const char* function, const std::string& sentence) {
  throw std::invalid_argument(std::string(function) + ": " + sentence);
}

void require_range(const char* function, const char* argument, std::int64_t value, std::int64_t least,
                   std::int64_t most) {
  if (value >= least && value <= most) return;
  refuse(function, std::string(argument) + " is " + std::to_string(value) + ", wanted " + std::to_string(least) +
                       " to " + std::to_string(most));
}

void count_handles(int change) noexcept { handles += change; }

}  // namespace Sward::C

extern "C" {

void sward_version(int* major, int* minor, int* patch) {
  if (major != nullptr) *major = SWARD_VERSION_MAJOR;
  if (minor != nullptr) *minor = SWARD_VERSION_MINOR;
  if (patch != nullptr) *patch = SWARD_VERSION_PATCH;
}

const char* sward_status_name(sward_status status) {
  switch (status) {
    case SWARD_SUCCESS:
      return "SWARD_SUCCESS";
    case SWARD_INVALID_ARGUMENT:
      return "SWARD_INVALID_ARGUMENT";
    case SWARD_EXTENT_MISMATCH:
      return "SWARD_EXTENT_MISMATCH";
    case SWARD_OUT_OF_MEMORY:
      return "SWARD_OUT_OF_MEMORY";
    case SWARD_NOT_INITIALIZED:
      return "SWARD_NOT_INITIALIZED";
    case SWARD_COMMUNICATION:
      return "SWARD_COMMUNICATION";
    case SWARD_INTERNAL:
      return "SWARD_INTERNAL";
  }
  return "unknown status";
}

const char* sward_last_error(void) { return Sward::C::last_error; }

sward_status sward_initialize(void) {
  using namespace Sward::C;
  return call_anytime([] {
    const std::lock_guard lock(start_mutex);
    if (!Kokkos::is_initialized()) {
      if (Kokkos::is_finalized())
        throw NotRunningError("sward_initialize: Kokkos has ended, and starts only once in a process");
      Kokkos::initialize();
      owns_kokkos = true;
    }
    ++starts;
  });
}

sward_status sward_finalize(void) {
  using namespace Sward::C;
  return call_anytime([] {
    const std::lock_guard lock(start_mutex);
    if (starts == 0) throw NotRunningError("sward_finalize: there was no sward_initialize");
    if (starts == 1 && handles > 0)
      refuse("sward_finalize", std::to_string(handles.load()) + " instances or optimizers are left to be destroyed");
    if (--starts > 0 || !owns_kokkos) return;
    owns_kokkos = false;
    if (Kokkos::is_initialized()) Kokkos::finalize();
  });
}

sward_status sward_instance_create(void* stream, sward_instance** instance) {
  using namespace Sward::C;
  constexpr const char* function = "sward_instance_create";
  return call(function, [&] {
    require_pointer(function, "instance", instance);
    if (stream == nullptr) {
      *instance = new sward_instance{Space()};
    } else {
#ifdef KOKKOS_ENABLE_CUDA
      *instance = new sward_instance{Space(static_cast<cudaStream_t>(stream))};
#else
      refuse(function, "a stream was given, and this build works on hosts, which have none");
#endif
    }
    count_handles(1);
  });
}

sward_status sward_instance_fence(const sward_instance* instance) {
  using namespace Sward::C;
  constexpr const char* function = "sward_instance_fence";
  return call(function, [&] { space_of(function, instance).fence(function); });
}

sward_status sward_instance_destroy(sward_instance* instance) {
  using namespace Sward::C;
  if (instance == nullptr) return SWARD_SUCCESS;
  return call("sward_instance_destroy", [&] {
    delete instance;
    count_handles(-1);
  });
}
}
