// Sward::row_norms: values must be a matrix and norms a vector
#include "Sward_Misuse.hpp"
#include "Sward_RowNorms.hpp"

namespace Sward::Misuse {
namespace {

#ifdef SWARD_MISUSE
using RankOfValues = Vector<float, Space>;
#else
using RankOfValues = Floats;
#endif

[[maybe_unused]] void rank_of_values(const Space& space, const RankOfValues& values, const Norms& norms) {
  row_norms(space, values, Side::rows, norms);
}

}  // namespace
}  // namespace Sward::Misuse
