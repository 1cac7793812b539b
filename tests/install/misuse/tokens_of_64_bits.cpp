// Sward: tokens, targets and other numbers must be int
#include <cstdint>

#include "Sward_Embedding.hpp"
#include "Sward_Misuse.hpp"

namespace Sward::Misuse {
namespace {

#ifdef SWARD_MISUSE
using TokensOf64Bits = Vector<std::int64_t, Space>;
#else
using TokensOf64Bits = Vector<const int, Space>;
#endif

[[maybe_unused]] void tokens_of_64_bits(const Space& space, const Floats& table, const TokensOf64Bits& tokens,
                                        const Floats& output) {
  embedding(space, table, tokens, output);
}

}  // namespace
}  // namespace Sward::Misuse
