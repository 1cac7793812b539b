#include "Sward_Evaluation.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "Sward_DocumentFirst.hpp"
#include "Sward_InputError.hpp"
#include "Sward_TokenStream.hpp"

namespace Sward {

namespace {

/// The batch of sequences `first` to `last`; masked targets and those of the places left over do not count.
/// Documents are marked where `starts` are given.
TokenBatch read_sequences(const TokenFile& data, const std::vector<std::uint64_t>& starts, std::uint64_t first,
                          std::uint64_t last, const BatchShape& shape) {
  TokenBatch batch;
  batch.inputs.assign(shape.tokens(), 0);
  batch.targets.assign(shape.tokens(), -1);
  const std::vector<std::uint32_t> tokens = data.read(first * shape.length, (last - first) * shape.length + 1);
  const std::vector<std::uint32_t> mask = data.loss_mask(first * shape.length, tokens.size());
  for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
    batch.inputs[i] = static_cast<std::int32_t>(tokens[i]);
    if (mask[i + 1] == 1) batch.targets[i] = static_cast<std::int32_t>(tokens[i + 1]);
  }
  for (std::uint64_t i = first; i < last && !starts.empty(); ++i)
    append_document_first(starts, i * shape.length, shape.length, batch.document_first);
  if (!starts.empty()) batch.document_first.resize(shape.tokens());
  return batch;
}

}  // namespace

void require_evaluable(const TokenFile& data, std::uint64_t sequence_length) {
  const std::uint64_t count = data.sequence_count(sequence_length);
  if (count == 0)
    throw InputError(data.path().string() + ": is shorter than one sequence of " + std::to_string(sequence_length) +
                     " tokens and its target");
  if (!has_counting_target(data, 1, count * sequence_length))
    throw InputError(data.path().string() + ": /loss_mask: no target counts");
}

template <class ExecutionSpace, class Scalar>
double evaluate(const ExecutionSpace& space, Llama<ExecutionSpace, Scalar>& model, const TokenFile& data,
                bool document_attention, const ProcessGroup& communicator) {
  const BatchShape& shape = model.batch();
  require_evaluable(data, shape.length);
  const std::uint64_t count = data.sequence_count(shape.length);
  const auto ranks = static_cast<std::uint64_t>(communicator.size());
  const std::vector<std::uint64_t> starts = document_attention ? data.document_starts() : std::vector<std::uint64_t>();
  const std::uint64_t batches = (count + shape.sequences - 1) / shape.sequences;
  double loss = 0.0;
  std::int64_t targets = 0;
  // As many passes on all ranks, the last of some without sequences: ranks may share the weights, and need each other.
  for (std::uint64_t pass = 0; pass * ranks < batches; ++pass) {
    const std::uint64_t batch = pass * ranks + static_cast<std::uint64_t>(communicator.rank());
    const std::uint64_t first = std::min<std::uint64_t>(count, batch * shape.sequences);
    const TokenBatch tokens =
        read_sequences(data, starts, first, std::min<std::uint64_t>(count, first + shape.sequences), shape);
    model.set_batch(space, tokens.inputs, tokens.targets, tokens.document_first);
    model.forward(space);
    loss += model.loss_sum(space);
    targets += tokens.counting_targets();
  }
  return communicator.sum(loss) / communicator.sum(static_cast<double>(targets));
}

template double evaluate(const Kokkos::DefaultExecutionSpace&, Llama<Kokkos::DefaultExecutionSpace, float>&,
                         const TokenFile&, bool, const ProcessGroup&);
template double evaluate(const Kokkos::DefaultExecutionSpace&, Llama<Kokkos::DefaultExecutionSpace, BFloat16>&,
                         const TokenFile&, bool, const ProcessGroup&);

}  // namespace Sward
