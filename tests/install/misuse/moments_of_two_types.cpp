// Sward: both moments must be computed in one type
#include "Sward_AdamUpdate.hpp"
#include "Sward_Misuse.hpp"

namespace Sward::Misuse {
namespace {

#ifdef SWARD_MISUSE
using MomentsOfTwoTypes = Matrix<double, Space>;
#else
using MomentsOfTwoTypes = Matrix<BFloat16, Space>;
#endif

[[maybe_unused]] void moments_of_two_types(const Space& space, const Floats& gradient, const Floats& first,
                                           const MomentsOfTwoTypes& second, const Floats& step) {
  adam_update(space, AdamStep{0.9, 0.999, 1e-8, 1}, Rounding{}, gradient, first, second, step);
}

}  // namespace
}  // namespace Sward::Misuse
