#pragma once

#include <cstddef>

#include "Sward_Configuration.hpp"

namespace Sward {

/// Bytes of main memory that this process takes besides a run's arena and data: program, MPI, Kokkos, HDF5, and what
/// the library of matrix products makes and keeps for the products of a step (its code and a packed block of an operand
/// in each thread). To see it, a run is rehearsed and the largest products are taken here once.
///
/// `logits_rows` are the tokens of a slice of logits; `message_copy` the bytes of MPI's copy of a message,
/// which are left out (all of them, even where a small copy lies in memory that is there anyway). Operands are read
/// from memory that has never been written, and long extents are cut where the library's blocks no longer grow, so a
/// large model takes little time and memory here too.
std::size_t measure_process(const Configuration& configuration, std::size_t logits_rows, std::size_t message_copy);

}  // namespace Sward
