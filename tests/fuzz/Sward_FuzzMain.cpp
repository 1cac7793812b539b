#include <cstddef>
#include <cstdint>

#include "Sward_FuzzTargets.hpp"

/// What libFuzzer calls with each input; an exception ends the process, and libFuzzer keeps the input.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Sward::Fuzz::SWARD_FUZZ_TARGET({reinterpret_cast<const char*>(data), size});
  return 0;
}
