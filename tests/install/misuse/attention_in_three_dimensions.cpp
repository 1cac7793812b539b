// Sward::attention: the operands must be matrices
#include "Sward_Attention.hpp"
#include "Sward_Misuse.hpp"

namespace Sward::Misuse {
namespace {

#ifdef SWARD_MISUSE
using AttentionInThreeDimensions = Kokkos::View<float***, Kokkos::LayoutRight, Space>;
#else
using AttentionInThreeDimensions = Floats;
#endif

[[maybe_unused]] void attention_in_three_dimensions(const Space& space, const AttentionInThreeDimensions& query,
                                                    const Floats& key, const Floats& value, const Floats& output,
                                                    const Floats& logsumexp) {
  attention(space, AttentionShape{1, 1, 1, 1, 1}, query, key, value, output, logsumexp);
}

}  // namespace
}  // namespace Sward::Misuse
