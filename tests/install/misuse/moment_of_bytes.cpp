// Sward: moments must be views of float, double or BFloat16, or MomentCodes of the execution space
#include "Sward_AdamWUpdate.hpp"
#include "Sward_Misuse.hpp"

namespace Sward::Misuse {
namespace {

#ifdef SWARD_MISUSE
using MomentOfBytes = Matrix<std::uint8_t, Space>;
#else
using MomentOfBytes = MomentCodes<Space>;
#endif

[[maybe_unused]] void moment_of_bytes(const Space& space, const Floats& gradient, const MomentOfBytes& first,
                                      const Floats& second, const Floats& weight) {
  adamw_update(space, AdamStep{0.9, 0.999, 1e-8, 1}, 1e-3, 0, Rounding{}, gradient, first, second, weight);
}

}  // namespace
}  // namespace Sward::Misuse
