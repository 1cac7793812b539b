// Sward: the first argument must be an instance of a Kokkos execution space
#include "Sward_Copy.hpp"
#include "Sward_Misuse.hpp"

namespace Sward::Misuse {
namespace {

#ifdef SWARD_MISUSE
using ForgottenSpace = int;
#else
using ForgottenSpace = Space;
#endif

[[maybe_unused]] void forgotten_space(const ForgottenSpace& space, const Floats& source, const Floats& target) {
  copy(space, source, target);
}

}  // namespace
}  // namespace Sward::Misuse
