#pragma once

#include <cstddef>

#include "Sward_LlamaShape.hpp"

namespace Sward {

/// Bytes of main memory that this process takes besides a run's arena: program, MPI, Kokkos, and what the library of
/// matrix products makes and keeps for the products of a step (its code and a packed block of an operand in each
/// thread), which are taken here once to see it.
///
/// `tokens` are those of a pass, `logits_rows` those of a slice of logits. Operands are read from memory that has
/// never been written, and long extents are cut where the library's blocks no longer grow, so a large model takes
/// little time and memory here too.
std::size_t measure_process(const LlamaShape& shape, std::size_t tokens, std::size_t logits_rows);

}  // namespace Sward
