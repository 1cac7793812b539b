// Sward: tokens, targets and other numbers must be int
#include "Sward_CrossEntropy.hpp"
#include "Sward_Misuse.hpp"

namespace Sward::Misuse {
namespace {

#ifdef SWARD_MISUSE
using TargetsOfFloat = Vector<float, Space>;
#else
using TargetsOfFloat = Numbers;
#endif

[[maybe_unused]] void targets_of_float(const Space& space, const Floats& logits, const TargetsOfFloat& targets,
                                       const Vector<float, Space>& losses) {
  cross_entropy(space, logits, targets, losses);
}

}  // namespace
}  // namespace Sward::Misuse
