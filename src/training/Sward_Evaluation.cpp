#include "Sward_Evaluation.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "Sward_InputError.hpp"
#include "Sward_TokenStream.hpp"

namespace Sward {

namespace {

/// The batch of sequences `first` to `last`; targets of the places left over do not count.
TokenBatch read_sequences(const TokenFile& data, std::uint64_t first, std::uint64_t last, const BatchShape& shape) {
  TokenBatch batch{std::vector<std::int32_t>(shape.tokens(), 0), std::vector<std::int32_t>(shape.tokens(), -1)};
  const std::vector<std::uint32_t> tokens = data.read(first * shape.length, (last - first) * shape.length + 1);
  for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
    batch.inputs[i] = static_cast<std::int32_t>(tokens[i]);
    batch.targets[i] = static_cast<std::int32_t>(tokens[i + 1]);
  }
  return batch;
}

}  // namespace

template <class ExecutionSpace, class Scalar>
double evaluate(const ExecutionSpace& space, Llama<ExecutionSpace, Scalar>& model, const TokenFile& data,
                const Communicator<MpiSpace>& communicator) {
  const BatchShape& shape = model.batch();
  const std::uint64_t count = data.token_count() > 0 ? (data.token_count() - 1) / shape.length : 0;
  if (count == 0)
    throw InputError(data.path().string() + ": is shorter than one sequence of " + std::to_string(shape.length) +
                     " tokens and its target");
  const auto ranks = static_cast<std::uint64_t>(communicator.size());
  double loss = 0.0;
  for (std::uint64_t batch = static_cast<std::uint64_t>(communicator.rank()); batch * shape.sequences < count;
       batch += ranks) {
    const std::uint64_t first = batch * shape.sequences;
    const TokenBatch tokens =
        read_sequences(data, first, std::min<std::uint64_t>(count, first + shape.sequences), shape);
    model.set_batch(space, tokens.inputs, tokens.targets);
    model.forward(space);
    loss += model.loss_sum(space);
  }
  return communicator.sum(loss) / static_cast<double>(count * shape.length);
}

template double evaluate(const Kokkos::DefaultExecutionSpace&, Llama<Kokkos::DefaultExecutionSpace, float>&,
                         const TokenFile&, const Communicator<MpiSpace>&);

}  // namespace Sward
