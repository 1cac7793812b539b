#pragma once

#include <filesystem>
#include <string>

#include "Sward_AtomicFile.hpp"
#include "Sward_CheckpointFile.hpp"
#include "Sward_Llama.hpp"
#include "Sward_Optimizer.hpp"

namespace Sward {

/// Writes weights and optimizer state into a checkpoint that is being made; on rank 0, while all others send it what
/// they have of states that ranks share. Waits for `space`.
template <class ExecutionSpace, class Scalar>
void write_training_arrays(const ExecutionSpace& space, Hdf5File& file, const Llama<ExecutionSpace, Scalar>& model,
                           Optimizer<ExecutionSpace, Scalar>& optimizer);

/// Writes weights and optimizer state; the checkpoint is complete, and gets its name `path` when the caller commits it.
/// Waits for `space`. Throws std::runtime_error naming the file.
template <class ExecutionSpace, class Scalar>
AtomicFile write_training_state(const ExecutionSpace& space, const std::filesystem::path& path,
                                const CheckpointHeader& header, const Llama<ExecutionSpace, Scalar>& model,
                                Optimizer<ExecutionSpace, Scalar>& optimizer);

/// The part in it of a rank that does not write. Waits for `space`.
template <class ExecutionSpace, class Scalar>
void send_training_state(const ExecutionSpace& space, const Llama<ExecutionSpace, Scalar>& model,
                         Optimizer<ExecutionSpace, Scalar>& optimizer);

/// Reads the weights of a checkpoint into a model of the same shape; waits for `space`.
/// Throws InputError naming the file and the parameter.
template <class ExecutionSpace, class Scalar>
void load_weights(const ExecutionSpace& space, const CheckpointFile& checkpoint,
                  const Llama<ExecutionSpace, Scalar>& model, const WeightNote& note = {});

/// Reads the optimizer's state of a checkpoint that has one; waits for `space`.
template <class ExecutionSpace, class Scalar>
void load_optimizer(const ExecutionSpace& space, const CheckpointFile& checkpoint,
                    Optimizer<ExecutionSpace, Scalar>& optimizer);

/// Reads the weights of a Hugging Face folder or of a checkpoint, whichever `initial` is.
template <class ExecutionSpace, class Scalar>
void load_initial_weights(const ExecutionSpace& space, const std::filesystem::path& initial,
                          const Llama<ExecutionSpace, Scalar>& model, const WeightNote& note = {});

/// The shape of the model in a Hugging Face folder or a checkpoint.
LlamaShape read_initial_shape(const std::filesystem::path& initial);

/// The bytes of the SentencePiece model beside the weights: tokenizer.model of a Hugging Face folder, /tokenizer_model
/// of a checkpoint. Empty where there is none.
std::string read_initial_tokenizer_model(const std::filesystem::path& initial);

}  // namespace Sward
