#include <gtest/gtest.h>
#include <mpi.h>

#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "Sward_MpiCommunicator.hpp"
#include "Sward_Trainer.hpp"
#include "Sward_TrainingFolder.hpp"

namespace Sward::Test {
namespace {

struct Run {
  std::string method;
  std::string selection;
  std::string order;
  std::vector<std::string> more = {};  ///< settings that go over those of all runs
};

void PrintTo(const Run& run, std::ostream* out) {
  *out << run.method << " " << run.selection << " " << run.order;
  for (const std::string& setting : run.more) *out << " " << setting;
}

/// A training folder that rank 0 makes and all ranks use.
class SharedFolder {
 public:
  SharedFolder() {
    if (communicator_.rank() == 0) folder_ = std::make_unique<TrainingFolder>();
    std::string path = folder_ ? folder_->path().string() : std::string();
    path.resize(256, '\0');
    MPI_Bcast(path.data(), 256, MPI_CHAR, 0, MPI_COMM_WORLD);
    path_ = path.c_str();
  }
  ~SharedFolder() { MPI_Barrier(MPI_COMM_WORLD); }
  SharedFolder(const SharedFolder&) = delete;
  SharedFolder& operator=(const SharedFolder&) = delete;

  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

  /// Trains into the output folder of this name; a stop is requested of the last rank once `stop` updates are done
  /// (0: never). True if the last update was reached.
  bool train(const Run& run, const std::string& output, const std::string& resume, std::int64_t stop) {
    // 40 sequences: an epoch of 3 updates and a remainder. The 4 ranks of the largest test take 3 sequences each.
    std::vector<std::string> settings{"data.train=" + (path_ / "short.h5").string(),
                                      "data.order=" + run.order,
                                      "optimizer.method=" + run.method,
                                      "grass.selection=" + run.selection,
                                      "grass.refresh_interval=4",
                                      "grass.refresh_warmup=3",
                                      "batch.sequences=12",
                                      "batch.micro=1",
                                      "schedule.steps=11",
                                      "schedule.warmup_steps=6",
                                      "schedule.shape=cosine",
                                      "optimizer.clip=0.5",
                                      "output.evaluation_interval=5",
                                      "output.directory=" + (path_ / output).string()};
    settings.insert(settings.end(), run.more.begin(), run.more.end());
    const Configuration configuration = read_configuration(path_ / "run.toml", settings);
    return configuration.precision == Precision::float32 ? train_in<float>(configuration, resume, stop)
                                                         : train_in<BFloat16>(configuration, resume, stop);
  }

  bool is_root() const { return communicator_.rank() == 0; }
  int ranks() const { return communicator_.size(); }
  std::filesystem::path checkpoint(std::int64_t step, const std::string& output) const {
    return checkpoint_path(path_ / output, step);
  }

 private:
  template <class Scalar>
  bool train_in(const Configuration& configuration, const std::string& resume, std::int64_t stop) {
    std::int64_t done = 0;
    Trainer<Scalar> trainer(configuration, resume, communicator_);
    return trainer.run([&] { return ++done >= stop && stop > 0 && communicator_.rank() == communicator_.size() - 1; });
  }

  Communicator<MpiSpace> communicator_;
  std::unique_ptr<TrainingFolder> folder_;
  std::filesystem::path path_;
};

class TrainerRun : public ::testing::TestWithParam<Run> {};

TEST_P(TrainerRun, StoppedAnywhereItGoesOnToTheSameBits) {
  SharedFolder folder;
  if (folder.is_root()) write_token_file(folder / "short.h5", random_tokens(321, 32, 3), 32);
  MPI_Barrier(MPI_COMM_WORLD);
  ASSERT_TRUE(folder.train(GetParam(), "whole", "", 0));
  // After 2, 5 and 7 updates: within the warm-up of the schedule, a refresh interval, its ramp, and an epoch.
  ASSERT_FALSE(folder.train(GetParam(), "out", "", 2));
  ASSERT_FALSE(folder.train(GetParam(), "out", "auto", 3));
  ASSERT_FALSE(folder.train(GetParam(), "out", "auto", 2));
  ASSERT_TRUE(folder.train(GetParam(), "out", "auto", 0));
  if (!folder.is_root()) return;
  const auto state = state_of(folder.checkpoint(11, "out"));
  EXPECT_EQ(state, state_of(folder.checkpoint(11, "whole")));
  EXPECT_NE(state, state_of(folder.checkpoint(7, "out")));
  EXPECT_EQ(timeless_metrics(folder / "out"), timeless_metrics(folder / "whole"));
  EXPECT_EQ(timeless_metrics(folder / "out").size(), 11U + 3U);
}

INSTANTIATE_TEST_SUITE_P(
    Methods, TrainerRun,
    ::testing::Values(Run{"adamw", "norm", "shuffled"}, Run{"adamw", "norm", "sequential"},
                      Run{"grass", "top-r", "shuffled"}, Run{"grass", "norm", "sequential"},
                      Run{"grass", "norm", "shuffled"}, Run{"grass", "norm-squared", "shuffled"},
                      Run{"grass", "uniform", "sequential"}, Run{"grass", "norm-replacement", "shuffled"},
                      Run{"grass", "norm-squared-replacement", "sequential"},
                      Run{"grass", "uniform-replacement", "shuffled"},
                      Run{"grass", "norm", "shuffled", {"precision.compute=bfloat16"}},
                      Run{"grass", "norm", "shuffled", {"precision.compute=float8"}},
                      Run{"grass", "norm", "shuffled", {"optimizer.state=int8"}},
                      Run{"adamw", "norm", "sequential", {"precision.compute=bfloat16", "optimizer.state=bfloat16"}}));

/// The mean loss of the last ten updates of a run, on the root.
double final_loss(const SharedFolder& folder, const std::string& output) {
  std::vector<double> losses;
  for (const nlohmann::json& line : timeless_metrics(folder / output))
    if (line.contains("loss")) losses.push_back(line["loss"]);
  return std::accumulate(losses.end() - 10, losses.end(), 0.0) / 10;
}

TEST(Float8, LowersTheLossAsBFloat16Does) {
  SharedFolder folder;
  std::vector<std::uint32_t> tokens;
  for (std::uint32_t i = 0; i < 1000; ++i) tokens.push_back(i * i % 29);  // two tokens tell the next one
  if (folder.is_root()) write_token_file(folder / "short.h5", tokens, 32);
  MPI_Barrier(MPI_COMM_WORLD);
  struct Run run {
    "grass", "norm", "shuffled", {
      "schedule.steps=40", "batch.micro=" + std::to_string(12 / folder.ranks()), "model.hidden_size=32"
    }
  };
  for (const std::string precision : {"bfloat16", "float8"}) {
    run.more.push_back("precision.compute=" + precision);
    ASSERT_TRUE(folder.train(run, precision, "", 0));
    run.more.pop_back();
  }
  if (!folder.is_root()) return;
  const double wanted = final_loss(folder, "bfloat16");
  EXPECT_LT(wanted, 2.5);  // from log(32) = 3.47
  // Rounding of 4% a product is noise in the gradients of a loss that is on its way down.
  EXPECT_NEAR(final_loss(folder, "float8"), wanted, 0.1 * wanted);
  EXPECT_NE(final_loss(folder, "float8"), wanted);
}

TEST(UpdatesAtOnce, GiveTheSameBitsAsUpdatesBehindThePass) {
  SharedFolder folder;
  if (folder.is_root()) write_token_file(folder / "short.h5", random_tokens(321, 32, 3), 32);
  MPI_Barrier(MPI_COMM_WORLD);
  // One pass on one rank; clipping that never clips keeps the updates behind it.
  if (folder.ranks() > 1) GTEST_SKIP() << "several ranks never update at once";
  struct Run run {
    "grass", "norm", "shuffled", { "batch.micro=12", "optimizer.clip=0" }
  };
  ASSERT_TRUE(folder.train(run, "at-once", "", 0));
  run.more.back() = "optimizer.clip=1e30";
  ASSERT_TRUE(folder.train(run, "behind", "", 0));
  if (!folder.is_root()) return;
  EXPECT_EQ(state_of(folder.checkpoint(11, "at-once")), state_of(folder.checkpoint(11, "behind")));
}

}  // namespace
}  // namespace Sward::Test
