#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tuple>

#include "Sward_Damage.hpp"
#include "Sward_HuggingFaceFolder.hpp"
#include "Sward_InputError.hpp"
#include "Sward_MpiCommunicator.hpp"
#include "Sward_RandomModel.hpp"
#include "Sward_StateRecorder.hpp"
#include "Sward_TestFiles.hpp"
#include "Sward_TrainingFixture.hpp"
#include "Sward_TrainingState.hpp"

namespace Sward::Test {
namespace {

using Space = TrainingFixture::Space;
using Bits = std::map<std::string, std::map<std::string, std::string>>;
using testing::HasSubstr;

struct Method {
  std::string name;
  bool grass;
  Selection selection;
  GrassConstants::SideRule side;
  bool tied;
  bool keeps_moments = false;
};

void PrintTo(const Method& method, std::ostream* out) { *out << method.name; }

LlamaShape tiny_shape(bool tied = false) { return {8, 12, 2, 1, 1, 11, tied, 1e-6, 10000.0}; }

OptimizerOptions options_of(const Method& method, std::int64_t rank = 3) {
  OptimizerOptions options;
  options.grass = method.grass;
  options.grass_constants.rank = rank;
  options.grass_constants.selection = method.selection;
  options.grass_constants.side = method.side;
  options.grass_constants.refresh_interval = 3;
  options.grass_constants.refresh_warmup = 3;
  options.grass_constants.keep_moments = method.keeps_moments;
  return options;
}

const Method usual{"grass", true, Selection::norm, GrassConstants::SideRule::smaller, false};

/// A model with optimizer that can train.
struct Training {
  explicit Training(const OptimizerOptions& options, const LlamaShape& shape = tiny_shape())
      : fixture(Space(), shape, {1, 6, true}, Recompute::none, options, communicator) {}

  Bits bits() {
    Bits bits;
    for (std::size_t i = 0; i < fixture.model().parameters().size(); ++i) {
      const std::string& name = fixture.model().parameters()[i].name;
      StateRecorder<Space, float> recorder;
      fixture.optimizer().visit_state(name, recorder);
      bits[name] = recorder.bits();
      typename StateVisitor<Space, float>::Matrix weight = fixture.model().weights()[i];
      StateRecorder<Space, float> weights;
      weights.visit("weight", weight, MatrixSplit());
      bits[name].insert(weights.bits().begin(), weights.bits().end());
    }
    return bits;
  }

  void save(const std::filesystem::path& path, std::int64_t step) {
    const CheckpointHeader header{step, 7, 6, 2, "text", fixture.model().shape()};
    write_training_state(Space(), path, header, fixture.model(), fixture.optimizer()).commit();
  }

  /// Everything zero first, so that nothing of an earlier load can pass for this one.
  void load(const std::filesystem::path& path) {
    for (const auto& weight : fixture.model().weights()) Kokkos::deep_copy(weight, 0.0F);
    fixture.optimizer().initialize(Space());
    const CheckpointFile checkpoint(path);
    load_weights(Space(), checkpoint, fixture.model());
    load_optimizer(Space(), checkpoint, fixture.optimizer());
  }

  Communicator<MpiSpace> communicator{MPI_COMM_WORLD};
  TrainingFixture fixture;
};

class TrainingState : public ::testing::TestWithParam<Method> {};

TEST_P(TrainingState, survives_a_restart_bit_for_bit) {
  const TemporaryFolder folder;
  const LlamaShape shape = tiny_shape(GetParam().tied);
  Training first(options_of(GetParam()), shape);
  for (std::int64_t step = 0; step < 5; ++step) first.fixture.update(step, 1, 0.01);
  first.save(folder / "a.h5", 5);
  EXPECT_EQ(folder.file_count(), 1U);

  Training second(options_of(GetParam()), shape);
  EXPECT_NE(second.bits(), first.bits());
  second.load(folder / "a.h5");
  EXPECT_EQ(second.bits(), first.bits());
  // The next update refreshes, the one after it does not.
  for (std::int64_t step = 5; step < 8; ++step) {
    first.fixture.update(step, 2, 0.01);
    second.fixture.update(step, 2, 0.01);
    EXPECT_EQ(second.bits(), first.bits()) << "update " << step;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Methods, TrainingState,
    ::testing::Values(usual,
                      Method{"grass that keeps moments", true, Selection::norm, GrassConstants::SideRule::smaller,
                             false, true},
                      Method{"grass by rows with replacement", true, Selection::norm_replacement,
                             GrassConstants::SideRule::rows, false},
                      Method{"grass by columns, tied", true, Selection::top_r, GrassConstants::SideRule::columns, true},
                      Method{"adamw, tied", false, Selection::norm, GrassConstants::SideRule::smaller, true}));

TEST(TrainingState, has_header_and_every_parameter_in_the_file) {
  const TemporaryFolder folder;
  Training training(options_of(usual));
  training.save(folder / "a.h5", 9);
  const CheckpointFile checkpoint(folder / "a.h5");
  EXPECT_EQ(checkpoint.header().step, 9);
  EXPECT_EQ(checkpoint.header().seed, 7U);
  EXPECT_EQ(checkpoint.header().shape, tiny_shape());
  EXPECT_TRUE(checkpoint.has_optimizer());
  EXPECT_EQ(checkpoint.file().names("/weights").size(), list_parameters(tiny_shape()).size());
  EXPECT_EQ(checkpoint.file().names("/optimizer").size(), list_parameters(tiny_shape()).size());
}

TEST(TrainingState, writes_equal_files_for_equal_states) {
  const TemporaryFolder folder;
  Training training(options_of(usual));
  training.fixture.update(0, 1);
  training.save(folder / "a.h5", 1);
  training.save(folder / "b.h5", 1);
  EXPECT_EQ(read_file(folder / "a.h5"), read_file(folder / "b.h5"));
}

TEST(TrainingState, names_a_file_that_cannot_be_written) {
  const TemporaryFolder folder;
  Training training(options_of(usual));
  EXPECT_THAT(message_of<std::runtime_error>([&] { training.save(folder / "none/a.h5", 1); }), HasSubstr("none/a.h5"));
}

TEST(TrainingState, refuses_a_checkpoint_of_another_shape) {
  const TemporaryFolder folder;
  Training(options_of(usual)).save(folder / "a.h5", 1);
  LlamaShape other = tiny_shape();
  other.num_layers = 2;
  Training training(options_of(usual), other);
  EXPECT_THAT(message_of<InputError>([&] { training.load(folder / "a.h5"); }),
              HasSubstr("a.h5: has model.num_layers = 1, not 2"));
}

TEST(TrainingState, refuses_the_state_of_another_optimizer) {
  const TemporaryFolder folder;
  Training(options_of(usual)).save(folder / "grass.h5", 1);
  Training(options_of({"adamw", false, Selection::norm, GrassConstants::SideRule::smaller, false}))
      .save(folder / "adam.h5", 1);
  Training larger(options_of(usual, 4));
  EXPECT_THAT(message_of<InputError>([&] { larger.load(folder / "grass.h5"); }), HasSubstr("grass.h5: /optimizer/"));
  EXPECT_THAT(message_of<InputError>([&] { larger.load(folder / "adam.h5"); }), HasSubstr("adam.h5: /optimizer/"));
}

TEST(TrainingState, reports_damage_or_is_not_changed_by_it) {
  const TemporaryFolder folder;
  Training training(options_of(usual));
  training.fixture.update(0, 1);
  training.save(folder / "a.h5", 1);
  const auto everything = [&](const std::filesystem::path& path) {
    training.load(path);
    const CheckpointHeader header = CheckpointFile(path).header();
    return std::tuple(header.step, header.seed, header.sequence_length, header.sequences, header.configuration,
                      training.bits());
  };
  const auto wanted = std::tuple(std::int64_t{1}, std::uint64_t{7}, std::int64_t{6}, std::int64_t{2},
                                 std::string("text"), training.bits());
  const std::string bytes = read_file(folder / "a.h5");
  ASSERT_TRUE(everything(folder / "a.h5") == wanted);
  EXPECT_EQ(count_reported(truncated(bytes, 100, 1), everything, wanted), 100);
  EXPECT_GT(count_reported(flipped(bytes, 500, 2), everything, wanted), 125);
}

TEST(load_initial_weights, reads_folders_and_checkpoints_alike) {
  const TemporaryFolder folder;
  const std::filesystem::path golden = golden_folder("tiny-adamw");
  const HuggingFaceFolder reference(golden);
  ASSERT_EQ(read_initial_shape(golden), reference.shape());
  Training first(options_of(usual), reference.shape());
  load_initial_weights(Space(), golden, first.fixture.model());
  first.save(folder / "a.h5", 0);
  ASSERT_EQ(read_initial_shape(folder / "a.h5"), reference.shape());
  RandomModel second(Space(), reference.shape(), 1, 2);
  load_initial_weights(Space(), folder / "a.h5", second.model());
  for (std::size_t i = 0; i < reference.parameters().size(); ++i) {
    const std::vector<float> wanted = reference.read(reference.parameters()[i].name);
    EXPECT_EQ(host_values(first.fixture.model().weights()[i]), wanted);
    EXPECT_EQ(host_values(second.model().weights()[i]), wanted);
  }
}

TEST(load_initial_weights, refuses_another_shape_and_names_what_is_missing) {
  RandomModel random(Space(), tiny_shape(), 1, 2);
  const std::string golden = golden_folder("tiny-adamw").string();
  EXPECT_THAT(message_of<InputError>([&] { load_initial_weights(Space(), golden, random.model()); }),
              HasSubstr(golden + ": has model."));
  EXPECT_THAT(message_of<InputError>([&] { load_initial_weights(Space(), "no/file.h5", random.model()); }),
              HasSubstr("no/file.h5"));
  EXPECT_THAT(message_of<InputError>([&] { read_initial_shape("no/file.h5"); }), HasSubstr("no/file.h5"));
}

}  // namespace
}  // namespace Sward::Test
