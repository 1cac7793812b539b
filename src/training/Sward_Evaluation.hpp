#pragma once

#include <cstdint>

#include "Sward_Llama.hpp"
#include "Sward_ProcessGroup.hpp"
#include "Sward_TokenFile.hpp"

namespace Sward {

/// Throws InputError unless the file holds a whole sequence of so many tokens with a target that counts.
void require_evaluable(const TokenFile& data, std::uint64_t sequence_length);

/// Mean loss (nats a token) over the counting targets of every whole sequence of a token file: the sum of all ranks'
/// losses, in double, over the number of those targets, whatever the batch. With `document_attention` no token sees
/// another document than its own. Collective, and the same on all ranks. The
/// sequence length is that of the model's batch. Throws InputError as `require_evaluable` does.
template <class ExecutionSpace, class Scalar>
double evaluate(const ExecutionSpace& space, Llama<ExecutionSpace, Scalar>& model, const TokenFile& data,
                bool document_attention, const ProcessGroup& communicator);

}  // namespace Sward
