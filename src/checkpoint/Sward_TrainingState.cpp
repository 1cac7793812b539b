#include "Sward_TrainingState.hpp"

#include <span>
#include <vector>

#include "Sward_AtomicFile.hpp"
#include "Sward_HostCopy.hpp"
#include "Sward_HuggingFaceConfig.hpp"
#include "Sward_HuggingFaceFolder.hpp"
#include "Sward_InputError.hpp"
#include "Sward_ProductChoices.hpp"
#include "Sward_Tokenizer.hpp"

namespace Sward {

namespace {

/// A contiguous view's elements in the file's type, which is that of the view or, for BFloat16, has the same bits.
template <class T, class View>
std::span<const T> as_stored(const View& host) {
  static_assert(sizeof(T) == sizeof(typename View::value_type), "Sward: the file's type must have the view's bits");
  return {reinterpret_cast<const T*>(host.data()), host.size()};
}

template <class View>
std::vector<std::size_t> extents_of(const View& view) {
  std::vector<std::size_t> extents;
  for (std::size_t i = 0; i < View::rank(); ++i) extents.push_back(view.extent(i));
  return extents;
}

template <class ExecutionSpace, class Value>
class StateWriter : public StateVisitor<ExecutionSpace, Value> {
  using Base = StateVisitor<ExecutionSpace, Value>;

 public:
  StateWriter(const ExecutionSpace& space, Hdf5File& file, std::string group)
      : space_(space), file_(file), group_(std::move(group)) {
    file_.create_group(group_);
  }
  void visit(const std::string& name, typename Base::Matrix values) override { write<Value>(name, values); }
  void visit(const std::string& name, typename Base::HalfMatrix values) override { write<Hdf5BFloat16>(name, values); }
  void visit(const std::string& name, typename Base::Codes values) override { write<std::uint8_t>(name, values); }
  void visit(const std::string& name, typename Base::Integers values, int) override {
    write<std::int32_t>(name, values);
  }
  void visit(const std::string& name, typename Base::Floats values) override { write<float>(name, values); }
  void visit(const std::string& name, std::int64_t& value) override { file_.write_attribute(group_, name, value); }

 private:
  template <class T, class View>
  void write(const std::string& name, const View& view) {
    const auto host = to_host(space_, view);
    file_.write(group_ + "/" + name, as_stored<T>(host), extents_of(view));
  }

  ExecutionSpace space_;
  Hdf5File& file_;
  std::string group_;
};

template <class ExecutionSpace, class Value>
class StateReader : public StateVisitor<ExecutionSpace, Value> {
  using Base = StateVisitor<ExecutionSpace, Value>;

 public:
  StateReader(const ExecutionSpace& space, const Hdf5File& file, std::string group)
      : space_(space), file_(file), group_(std::move(group)) {}
  void visit(const std::string& name, typename Base::Matrix values) override { read<Value>(name, values); }
  void visit(const std::string& name, typename Base::HalfMatrix values) override { read<Hdf5BFloat16>(name, values); }
  void visit(const std::string& name, typename Base::Codes values) override { read<std::uint8_t>(name, values); }
  void visit(const std::string& name, typename Base::Integers values, int limit) override {
    for (const std::int32_t value : read<std::int32_t>(name, values))
      if (value < 0 || value >= limit)
        file_.fail(group_ + "/" + name, "has " + std::to_string(value) + ", wanted 0 to " + std::to_string(limit - 1));
  }
  void visit(const std::string& name, typename Base::Floats values) override { read<float>(name, values); }
  void visit(const std::string& name, std::int64_t& value) override {
    value = file_.attribute<std::int64_t>(group_, name);
  }

 private:
  template <class T, class View>
  std::vector<T> read(const std::string& name, const View& view) {
    std::vector<T> values(view.size());
    file_.read(group_ + "/" + name, std::span<T>(values), extents_of(view));
    to_device(space_, elements(values), view);
    return values;
  }

  template <class T>
  static const std::vector<T>& elements(const std::vector<T>& values) {
    return values;
  }
  static std::vector<BFloat16> elements(const std::vector<Hdf5BFloat16>& values) {
    std::vector<BFloat16> elements;
    for (const Hdf5BFloat16 value : values) elements.push_back(BFloat16::from_bits(value.bits));
    return elements;
  }

  ExecutionSpace space_;
  const Hdf5File& file_;
  std::string group_;
};

void require_same_shape(const std::filesystem::path& source, const LlamaShape& found, const LlamaShape& wanted) {
  if (!(found == wanted)) throw InputError(source.string() + ": holds a model of another shape than the configuration");
}

}  // namespace

template <class ExecutionSpace, class Scalar>
void write_training_arrays(const ExecutionSpace& space, Hdf5File& file, const Llama<ExecutionSpace, Scalar>& model,
                           Optimizer<ExecutionSpace, Scalar>& optimizer) {
  for (std::size_t i = 0; i < model.parameters().size(); ++i) {
    const ParameterInfo& parameter = model.parameters()[i];
    const auto host = to_host(space, model.weights()[i]);
    using Stored = std::conditional_t<std::is_same_v<Scalar, BFloat16>, Hdf5BFloat16, Scalar>;
    file.write("/weights/" + parameter.name, as_stored<Stored>(host), file_extents(parameter));
    StateWriter<ExecutionSpace, Real<Scalar>> writer(space, file, "/optimizer/" + parameter.name);
    optimizer.visit_state(parameter.name, writer);
  }
  write_product_choices(file);
}

template <class ExecutionSpace, class Scalar>
AtomicFile write_training_state(const ExecutionSpace& space, const std::filesystem::path& path,
                                const CheckpointHeader& header, const Llama<ExecutionSpace, Scalar>& model,
                                Optimizer<ExecutionSpace, Scalar>& optimizer) {
  AtomicFile atomic(path);
  Hdf5File file = create_checkpoint(atomic.temporary(), header);
  write_training_arrays(space, file, model, optimizer);
  file.close();
  return atomic;
}

template <class ExecutionSpace, class Scalar>
void load_weights(const ExecutionSpace& space, const CheckpointFile& checkpoint,
                  const Llama<ExecutionSpace, Scalar>& model) {
  require_same_shape(checkpoint.file().path(), checkpoint.header().shape, model.shape());
  for (std::size_t i = 0; i < model.parameters().size(); ++i)
    to_device(space, checkpoint.read_weight(model.parameters()[i]), model.weights()[i]);
}

template <class ExecutionSpace, class Scalar>
void load_optimizer(const ExecutionSpace& space, const CheckpointFile& checkpoint,
                    Optimizer<ExecutionSpace, Scalar>& optimizer) {
  for (const ParameterInfo& parameter : checkpoint.parameters()) {
    StateReader<ExecutionSpace, Real<Scalar>> reader(space, checkpoint.file(), "/optimizer/" + parameter.name);
    optimizer.visit_state(parameter.name, reader);
  }
}

template <class ExecutionSpace, class Scalar>
void load_initial_weights(const ExecutionSpace& space, const std::filesystem::path& initial,
                          const Llama<ExecutionSpace, Scalar>& model) {
  if (!std::filesystem::is_directory(initial)) {
    load_weights(space, CheckpointFile(initial), model);
    return;
  }
  const HuggingFaceFolder folder(initial);
  require_same_shape(initial, folder.shape(), model.shape());
  for (std::size_t i = 0; i < model.parameters().size(); ++i)
    to_device(space, folder.read(model.parameters()[i].name), model.weights()[i]);
}

LlamaShape read_initial_shape(const std::filesystem::path& initial) {
  if (std::filesystem::is_directory(initial)) return read_huggingface_config(initial);
  return CheckpointFile(initial).header().shape;
}

std::string read_initial_tokenizer_model(const std::filesystem::path& initial) {
  if (!std::filesystem::is_directory(initial)) return CheckpointFile(initial).tokenizer_model();
  const std::filesystem::path path = initial / "tokenizer.model";
  return std::filesystem::exists(path) ? read_tokenizer_model(path) : std::string();
}

using Space = Kokkos::DefaultExecutionSpace;
#define SWARD_INSTANTIATE(Scalar)                                                                               \
  template void write_training_arrays(const Space&, Hdf5File&, const Llama<Space, Scalar>&,                     \
                                      Optimizer<Space, Scalar>&);                                               \
  template AtomicFile write_training_state(const Space&, const std::filesystem::path&, const CheckpointHeader&, \
                                           const Llama<Space, Scalar>&, Optimizer<Space, Scalar>&);             \
  template void load_weights(const Space&, const CheckpointFile&, const Llama<Space, Scalar>&);                 \
  template void load_optimizer(const Space&, const CheckpointFile&, Optimizer<Space, Scalar>&);                 \
  template void load_initial_weights(const Space&, const std::filesystem::path&, const Llama<Space, Scalar>&);
SWARD_INSTANTIATE(float)
SWARD_INSTANTIATE(BFloat16)
#undef SWARD_INSTANTIATE

}  // namespace Sward
