#pragma once

#include <cstdint>

#include "Sward_Llama.hpp"
#include "Sward_MpiCommunicator.hpp"
#include "Sward_TokenFile.hpp"

namespace Sward {

/// Mean loss (nats a token) over every whole sequence of a token file, shared out over the ranks; the same on all
/// ranks. The sequence length is that of the model's batch. Throws InputError when the file holds no whole sequence.
template <class ExecutionSpace, class Scalar>
double evaluate(const ExecutionSpace& space, Llama<ExecutionSpace, Scalar>& model, const TokenFile& data,
                const Communicator<MpiSpace>& communicator);

}  // namespace Sward
