#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "Sward_Configuration.hpp"

namespace Sward {

/// Memory of one kind, in bytes, on one rank.
struct PlannedMemory {
  std::string kind;
  std::size_t bytes = 0;
};

/// What a run needs, known before it starts: bytes on one rank and bytes of messages.
struct Plan {
  int ranks = 1;
  std::int64_t parameters = 0;
  std::string recompute;                   ///< the level that `arena` is for
  std::vector<PlannedMemory> arena;        ///< in the one allocation for all that stays
  std::vector<PlannedMemory> outside;      ///< what the process needs besides
  std::vector<PlannedMemory> activations;  ///< by level of recomputation
  std::size_t checkpoint_bytes = 0;        ///< arrays of a checkpoint: weights and optimizer states of all ranks
  bool knows_data = false;                 ///< whether `outside` has the order of the sequences
  std::vector<MessageSize> messages;       ///< by layer, in the order of the parameters
  MessageSize message;                     ///< their sum

  std::size_t arena_bytes() const;
  std::size_t total_bytes() const;
};

/// Places model and optimizer of a configuration in an arena, whether it measures or holds; for one of so many ranks,
/// of the number that it has in the communicator.
template <class Scalar>
void place_training(Arena<Kokkos::DefaultExecutionSpace>& arena, const Configuration& configuration, int ranks,
                    ProcessGroup& communicator, std::optional<Llama<Kokkos::DefaultExecutionSpace, Scalar>>& model,
                    std::optional<Optimizer<Kokkos::DefaultExecutionSpace, Scalar>>& optimizer);

/// Throws InputError unless an update is a whole number of passes over so many ranks.
void check_batch(const Configuration& configuration, int ranks);

/// What a plan has to know of the token files.
struct DataSize {
  std::uint64_t sequences = 0;  ///< of all training files
  std::size_t cache_bytes = 0;  ///< of all files, while they are read
};

/// Looks at the token files, if all of them are there already. Throws InputError for one that is none.
std::optional<DataSize> find_data_size(const DataOptions& options);

/// The plan of a run on so many ranks, for the one of the communicator's number; the others need not exist, and nothing
/// of the model is allocated. Rank 0 is never the smallest.
///
/// What lies outside the arena is estimated with this process's own size, so it belongs to a program that links the
/// same libraries and runs as many threads as the run will.
Plan plan_training(const Configuration& configuration, int ranks, const std::optional<DataSize>& data,
                   ProcessGroup& communicator);

/// The plan as a table for people, and as one JSON object (docs/file-formats.md).
std::string plan_text(const Plan& plan);
std::string plan_json(const Plan& plan);

}  // namespace Sward
