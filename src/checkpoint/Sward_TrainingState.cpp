#include "Sward_TrainingState.hpp"

#include <span>
#include <vector>

#include "Sward_AtomicFile.hpp"
#include "Sward_HostCopy.hpp"
#include "Sward_HuggingFaceConfig.hpp"
#include "Sward_HuggingFaceFolder.hpp"
#include "Sward_InputError.hpp"
#include "Sward_ProductChoices.hpp"
#include "Sward_SplitArray.hpp"
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

/// Extents in the file of what is visited with a split.
template <class View>
std::vector<std::size_t> extents_of_whole(const MatrixSplit& split) {
  if (View::rank() == 2) return {split.rows, split.columns};
  return {split.rows * split.columns};
}

/// On rank 0 the whole of a view that is split, as the file stores it.
template <class T, class ExecutionSpace, class View>
std::vector<T> gather_view(const ExecutionSpace& space, const ProcessGroup& group, const View& view,
                           const MatrixSplit& split) {
  if (view.size() == 0) return gather_whole(group, split, std::span<const T>());
  const auto host = to_host(space, view);
  return gather_whole(group, split, as_stored<T>(host));
}

template <class ExecutionSpace, class Value>
class StateWriter : public StateVisitor<ExecutionSpace, Value> {
  using Base = StateVisitor<ExecutionSpace, Value>;

 public:
  StateWriter(const ExecutionSpace& space, const ProcessGroup& ranks, Hdf5File& file, std::string group)
      : space_(space), ranks_(ranks), file_(file), group_(std::move(group)) {
    file_.create_group(group_);
  }
  void visit(const std::string& name, typename Base::Matrix values, const MatrixSplit& split) override {
    write_whole<Value>(name, values, split);
  }
  void visit(const std::string& name, typename Base::HalfMatrix values, const MatrixSplit& split) override {
    write_whole<Hdf5BFloat16>(name, values, split);
  }
  void visit(const std::string& name, typename Base::Codes values, const MatrixSplit& split) override {
    write_whole<std::uint8_t>(name, values, split);
  }
  void visit(const std::string& name, typename Base::Floats values, const MatrixSplit& split) override {
    write_whole<float>(name, values, split);
  }
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
  template <class T, class View>
  void write_whole(const std::string& name, const View& view, const MatrixSplit& split) {
    if (!split.is_split()) return write<T>(name, view);
    const std::vector<T> whole = gather_view<T>(space_, ranks_, view, split);
    file_.write(group_ + "/" + name, std::span<const T>(whole), extents_of_whole<View>(split));
  }

  ExecutionSpace space_;
  const ProcessGroup& ranks_;
  Hdf5File& file_;
  std::string group_;
};

/// What the other ranks do while rank 0 writes.
template <class ExecutionSpace, class Value>
class StateSender : public StateVisitor<ExecutionSpace, Value> {
  using Base = StateVisitor<ExecutionSpace, Value>;

 public:
  StateSender(const ExecutionSpace& space, const ProcessGroup& ranks) : space_(space), ranks_(ranks) {}
  void visit(const std::string&, typename Base::Matrix values, const MatrixSplit& split) override {
    send<Value>(values, split);
  }
  void visit(const std::string&, typename Base::HalfMatrix values, const MatrixSplit& split) override {
    send<Hdf5BFloat16>(values, split);
  }
  void visit(const std::string&, typename Base::Codes values, const MatrixSplit& split) override {
    send<std::uint8_t>(values, split);
  }
  void visit(const std::string&, typename Base::Floats values, const MatrixSplit& split) override {
    send<float>(values, split);
  }
  void visit(const std::string&, typename Base::Integers, int) override {}
  void visit(const std::string&, typename Base::Floats) override {}
  void visit(const std::string&, std::int64_t&) override {}

 private:
  template <class T, class View>
  void send(const View& view, const MatrixSplit& split) {
    if (split.is_split()) gather_view<T>(space_, ranks_, view, split);
  }

  ExecutionSpace space_;
  const ProcessGroup& ranks_;
};

template <class ExecutionSpace, class Value>
class StateReader : public StateVisitor<ExecutionSpace, Value> {
  using Base = StateVisitor<ExecutionSpace, Value>;

 public:
  StateReader(const ExecutionSpace& space, int rank, const Hdf5File& file, std::string group)
      : space_(space), rank_(rank), file_(file), group_(std::move(group)) {}
  void visit(const std::string& name, typename Base::Matrix values, const MatrixSplit& split) override {
    read_part<Value>(name, values, split);
  }
  void visit(const std::string& name, typename Base::HalfMatrix values, const MatrixSplit& split) override {
    read_part<Hdf5BFloat16>(name, values, split);
  }
  void visit(const std::string& name, typename Base::Codes values, const MatrixSplit& split) override {
    read_part<std::uint8_t>(name, values, split);
  }
  void visit(const std::string& name, typename Base::Floats values, const MatrixSplit& split) override {
    read_part<float>(name, values, split);
  }
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
    to_device(space_, values, view);
    return values;
  }
  template <class T, class View>
  void read_part(const std::string& name, const View& view, const MatrixSplit& split) {
    std::vector<T> whole(split.rows * split.columns);
    file_.read(group_ + "/" + name, std::span<T>(whole), extents_of_whole<View>(split));
    if (view.size() > 0) to_device(space_, elements(take_part(split, rank_, std::move(whole))), view);
  }

  template <class T>
  static std::vector<T> elements(std::vector<T> values) {
    return values;
  }
  static std::vector<BFloat16> elements(const std::vector<Hdf5BFloat16>& values) {
    std::vector<BFloat16> elements;
    elements.reserve(values.size());
    for (const Hdf5BFloat16 value : values) elements.push_back(BFloat16::from_bits(value.bits));
    return elements;
  }

  ExecutionSpace space_;
  int rank_;
  const Hdf5File& file_;
  std::string group_;
};

template <class ExecutionSpace, class Scalar, class Values>
void place_weight(const ExecutionSpace& space, const Values& values, const Llama<ExecutionSpace, Scalar>& model,
                  std::size_t parameter, const WeightNote& note) {
  to_device(space, values, model.weights()[parameter]);
  if (note) note(parameter);
  model.keep_weight(space, parameter);
}

}  // namespace

template <class ExecutionSpace, class Scalar>
void write_training_arrays(const ExecutionSpace& space, Hdf5File& file, const Llama<ExecutionSpace, Scalar>& model,
                           Optimizer<ExecutionSpace, Scalar>& optimizer) {
  for (std::size_t i = 0; i < model.parameters().size(); ++i) {
    const ParameterInfo& parameter = model.parameters()[i];
    model.fetch_weight(space, i);
    const auto host = to_host(space, model.weights()[i]);
    using Stored = std::conditional_t<std::is_same_v<Scalar, BFloat16>, Hdf5BFloat16, Scalar>;
    file.write("/weights/" + parameter.name, as_stored<Stored>(host), file_extents(parameter));
    StateWriter<ExecutionSpace, Real<Scalar>> writer(space, optimizer.group(), file, "/optimizer/" + parameter.name);
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
void send_training_state(const ExecutionSpace& space, const Llama<ExecutionSpace, Scalar>& model,
                         Optimizer<ExecutionSpace, Scalar>& optimizer) {
  StateSender<ExecutionSpace, Real<Scalar>> sender(space, optimizer.group());
  for (std::size_t i = 0; i < model.parameters().size(); ++i) {
    model.fetch_weight(space, i);
    optimizer.visit_state(model.parameters()[i].name, sender);
  }
}

template <class ExecutionSpace, class Scalar>
void load_weights(const ExecutionSpace& space, const CheckpointFile& checkpoint,
                  const Llama<ExecutionSpace, Scalar>& model, const WeightNote& note) {
  require_shape(checkpoint.file().path().string(), checkpoint.header().shape, model.shape());
  for (std::size_t i = 0; i < model.parameters().size(); ++i)
    place_weight(space, checkpoint.read_weight(model.parameters()[i]), model, i, note);
}

template <class ExecutionSpace, class Scalar>
void load_optimizer(const ExecutionSpace& space, const CheckpointFile& checkpoint,
                    Optimizer<ExecutionSpace, Scalar>& optimizer) {
  for (const ParameterInfo& parameter : checkpoint.parameters()) {
    // It may be of a run with another rank.
    if (optimizer.replaces_state(parameter.name, checkpoint.header().step)) continue;
    StateReader<ExecutionSpace, Real<Scalar>> reader(space, optimizer.group().rank(), checkpoint.file(),
                                                     "/optimizer/" + parameter.name);
    optimizer.visit_state(parameter.name, reader);
  }
}

template <class ExecutionSpace, class Scalar>
void load_initial_weights(const ExecutionSpace& space, const std::filesystem::path& initial,
                          const Llama<ExecutionSpace, Scalar>& model, const WeightNote& note) {
  if (!std::filesystem::is_directory(initial)) {
    load_weights(space, CheckpointFile(initial), model, note);
    return;
  }
  const HuggingFaceFolder folder(initial);
  require_shape(initial.string(), folder.shape(), model.shape());
  for (std::size_t i = 0; i < model.parameters().size(); ++i)
    place_weight(space, folder.read(model.parameters()[i].name), model, i, note);
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
#define SWARD_INSTANTIATE(Scalar)                                                                                  \
  template void write_training_arrays(const Space&, Hdf5File&, const Llama<Space, Scalar>&,                        \
                                      Optimizer<Space, Scalar>&);                                                  \
  template AtomicFile write_training_state(const Space&, const std::filesystem::path&, const CheckpointHeader&,    \
                                           const Llama<Space, Scalar>&, Optimizer<Space, Scalar>&);                \
  template void send_training_state(const Space&, const Llama<Space, Scalar>&, Optimizer<Space, Scalar>&);         \
  template void load_weights(const Space&, const CheckpointFile&, const Llama<Space, Scalar>&, const WeightNote&); \
  template void load_optimizer(const Space&, const CheckpointFile&, Optimizer<Space, Scalar>&);                    \
  template void load_initial_weights(const Space&, const std::filesystem::path&, const Llama<Space, Scalar>&,      \
                                     const WeightNote&);
SWARD_INSTANTIATE(float)
SWARD_INSTANTIATE(BFloat16)
#undef SWARD_INSTANTIATE

}  // namespace Sward
