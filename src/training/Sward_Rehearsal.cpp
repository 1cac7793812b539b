#include "Sward_Rehearsal.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "Sward_Hdf5IntegerArray.hpp"
#include "Sward_MpiCommunicator.hpp"
#include "Sward_Plan.hpp"
#include "Sward_TrainingState.hpp"

namespace Sward {

namespace {

using Space = Kokkos::DefaultExecutionSpace;

/// A new file in shared memory, empty where there is no room for one. HDF5 wants a name, so one without will not do.
std::filesystem::path file_in_memory() {
  std::string name = "/dev/shm/sward-XXXXXX";
  const int descriptor = ::mkstemp(name.data());
  if (descriptor < 0) return {};
  ::close(descriptor);
  return name;
}

constexpr int micro_batches = 2;

/// The same run of a small model in float: whatever else chooses between kernels is kept.
Configuration shrink(Configuration configuration) {
  LlamaShape& shape = configuration.shape;
  const bool grouped = shape.num_key_value_heads < shape.num_heads;
  shape.hidden_size = 32;
  shape.intermediate_size = 48;
  shape.num_heads = 2;
  shape.num_key_value_heads = grouped ? 1 : 2;
  shape.num_layers = 1;
  shape.vocab_size = 64;
  configuration.data.sequence_length = std::min<std::int64_t>(configuration.data.sequence_length, 64);
  configuration.batch = {micro_batches, 1};
  configuration.precision = Precision::float32;
  return configuration;
}

void rehearse_update(const Space& space, std::int64_t step, std::size_t tokens, Llama<Space, float>& model,
                     Optimizer<Space, float>& optimizer) {
  const std::vector<std::int32_t> batch(tokens, 0);
  optimizer.begin_update(space, step, micro_batches, 0.0);
  for (int j = 0; j < micro_batches; ++j) {
    model.set_batch(space, batch, batch, batch);
    model.forward_backward(space, 1.0, optimizer);
    model.loss_sum(space);
  }
  optimizer.apply(optimizer.finish_gradients().norm);
  model.forward(space);
}

/// Besides the model's arrays one of several chunks, as those of any larger model are, and tokens.
void rehearse_files(const Space& space, const std::filesystem::path& path, const CheckpointHeader& header,
                    const Llama<Space, float>& model, Optimizer<Space, float>& optimizer) {
  Hdf5File file = create_checkpoint(path, header);
  std::filesystem::remove(path);  // it lives on until it is closed
  write_training_arrays(space, file, model, optimizer);
  const std::vector<float> large(2 * hdf5_chunk_bytes / sizeof(float));
  file.write("/large", std::span<const float>(large));
  const std::vector<std::uint16_t> stored(1 << 16);
  file.write("/tokens", std::span<const std::uint16_t>(stored));
  std::vector<std::uint32_t> tokens(1 << 10);
  Hdf5IntegerArray(file, "/tokens").read(file, 1, std::span(tokens));
  file.close();
}

}  // namespace

void rehearse_run(const Configuration& configuration) {
  const Space space;
  const Configuration small = shrink(configuration);
  // Apart from all other ranks, whatever they do.
  Communicator<MpiSpace> alone(MPI_COMM_SELF);
  std::optional<Llama<Space, float>> model;
  std::optional<Optimizer<Space, float>> optimizer;
  Arena<Space> plan = Arena<Space>::measuring();
  place_training(plan, small, alone.size(), alone, model, optimizer);
  Arena<Space> arena = Arena<Space>::holding(plan.bytes());
  place_training(arena, small, alone.size(), alone, model, optimizer);
  model->initialize(space);
  model->initialize_weights(space, small.seed);
  optimizer->initialize(space);
  for (const std::int64_t step : {0, 1}) rehearse_update(space, step, model->batch().tokens(), *model, *optimizer);
  const std::filesystem::path path = file_in_memory();
  if (path.empty()) return;
  try {
    rehearse_files(space, path, {0, small.seed, small.data.sequence_length, 1, small.text, small.shape}, *model,
                   *optimizer);
  } catch (const std::runtime_error&) {
    // Shared memory is full. The run needs none of it.
  }
}

}  // namespace Sward
