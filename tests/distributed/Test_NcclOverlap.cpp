#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <span>

#include "Sward_MpiCommunicator.hpp"
#include "Sward_NcclCommunicator.hpp"
#include "Sward_TrainingFixture.hpp"

// Messages through NCCL run while the layers below are still in their backward pass.

namespace Sward::Test {
namespace {

using Space = TrainingFixture::Space;
using Sink = GradientSink<Space, float>;

/// Hands everything on to the optimizer, and marks on the instance when the gradients of each parameter are complete.
class MarkingSink : public Sink {
 public:
  MarkingSink(Sink& sink, const Space& space) : sink_(sink), space_(space) { origin_ = mark(); }

  Slice wanted_columns(int parameter, GradientFactor factor, std::size_t tokens) override {
    return sink_.wanted_columns(parameter, factor, tokens);
  }
  void accept_columns(std::span<const int> parameters, ConstMatrix other) override {
    sink_.accept_columns(parameters, other);
  }
  void accept_factors(int parameter, ConstMatrix output_gradient, ConstMatrix input) override {
    begins_[parameter] = mark();
    sink_.accept_factors(parameter, output_gradient, input);
  }
  DenseGradient dense_gradient(int parameter) override { return sink_.dense_gradient(parameter); }
  void complete(int parameter) override {
    marks_[parameter] = mark();
    sink_.complete(parameter);
  }

  /// Milliseconds until the factors of a parameter were handed over; the instance must be through.
  double begin_of(int parameter) const { return milliseconds_until(begins_.at(parameter)); }

  /// Milliseconds until the last gradient of a layer was complete; the instance must be through.
  double end_of_layer(const std::vector<ParameterInfo>& parameters, int layer) const {
    double end = 0;
    for (const auto& [parameter, event] : marks_) {
      if (parameters[static_cast<std::size_t>(parameter)].layer != layer) continue;
      end = std::max(end, milliseconds_until(event));
    }
    return end;
  }

 private:
  double milliseconds_until(cudaEvent_t event) const {
    float milliseconds = 0;
    check_cuda(cudaEventElapsedTime(&milliseconds, origin_, event), "cudaEventElapsedTime");
    return milliseconds;
  }

  cudaEvent_t mark() const {
    cudaEvent_t event = nullptr;
    check_cuda(cudaEventCreate(&event), "cudaEventCreate");
    check_cuda(cudaEventRecord(event, space_.cuda_stream()), "cudaEventRecord");
    return event;
  }

  Sink& sink_;
  Space space_;
  cudaEvent_t origin_;
  std::map<int, cudaEvent_t> begins_;
  std::map<int, cudaEvent_t> marks_;
};

LlamaShape shape_of_some_work() {
  LlamaShape shape;
  shape.hidden_size = 1024;
  shape.intermediate_size = 2816;
  shape.num_heads = 16;
  shape.num_key_value_heads = 16;
  shape.num_layers = 8;
  shape.vocab_size = 1000;
  return shape;
}

OptimizerOptions options_of_some_work() {
  OptimizerOptions options;
  options.grass_constants.rank = 256;
  options.grass_constants.refresh_interval = 1000;
  options.overlaps_refresh = true;
  return options;
}

TEST(NcclOverlap, MessagesRunDuringTheBackwardPassOfTheLayersBelow) {
  const Communicator<MpiSpace> mpi(MPI_COMM_WORLD);
  Communicator<NcclSpace> group(mpi);
  const Space space;
  const OptimizerOptions options = options_of_some_work();
  TrainingFixture training(space, shape_of_some_work(), {16, 256, true}, Recompute::none, options, group);
  for (const int step : {0, 1}) training.update(step, 1);
  group.barrier();
  group.start_times(space);
  MarkingSink sink(training.optimizer(), space);
  training.update(2, 1, 1e-3, &sink);
  std::map<std::string, MessageTimes> messages;
  for (const MessageTimes& times : group.take_times()) messages.emplace(times.what, times);

  const auto& parameters = training.model().parameters();
  const double end_of_pass = sink.end_of_layer(parameters, 0);
  for (int layer = 7; layer >= 1; --layer) {
    const MessageTimes& message = messages.at("the gradients of layer " + std::to_string(layer));
    const double end_below = sink.end_of_layer(parameters, layer - 1);
    if (group.rank() == 0)
      std::printf("layer %d: gradients at %7.3f ms, message from %7.3f to %7.3f ms, layer below until %7.3f ms\n",
                  layer, sink.end_of_layer(parameters, layer), message.begin, message.end, end_below);
    EXPECT_LT(message.begin, end_below) << "layer " << layer;
    // Ranks that share a device take turns on it: what lies above by two layers is through in any case.
    if (layer >= 3) EXPECT_LT(message.end, end_of_pass) << "layer " << layer;
  }
}

TEST(NcclOverlap, InARefreshTheSumOfAMatrixRunsBesideTheNextProduct) {
  const Communicator<MpiSpace> mpi(MPI_COMM_WORLD);
  if (mpi.size() == 1) GTEST_SKIP() << "one rank has nothing to add up";
  Communicator<NcclSpace> group(mpi);
  const Space space;
  TrainingFixture training(space, shape_of_some_work(), {16, 256, true}, Recompute::none, options_of_some_work(),
                           group);
  for (const int step : {0, 1}) training.update(step, 1);
  group.barrier();
  group.start_times(space);
  MarkingSink sink(training.optimizer(), space);
  training.update(1000, 1, 1e-3, &sink);
  std::map<std::string, MessageTimes> messages;
  for (const MessageTimes& times : group.take_times()) messages.emplace(times.what, times);
  const auto& parameters = training.model().parameters();
  for (int p = 0; p < static_cast<int>(parameters.size()); ++p) {
    const std::string& name = parameters[static_cast<std::size_t>(p)].name;
    if (!name.ends_with("gate_proj.weight")) continue;
    const MessageTimes& sum = messages.at("the gradient of " + name);
    const double begin_of_up = sink.begin_of(p + 1);
    if (group.rank() == 0)
      std::printf("%s: sum from %7.3f to %7.3f ms, next product at %7.3f ms\n", name.c_str(), sum.begin, sum.end,
                  begin_of_up);
    EXPECT_LT(begin_of_up, sum.end) << name;
  }
}

}  // namespace
}  // namespace Sward::Test
