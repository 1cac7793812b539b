#pragma once

#include <mpi.h>

#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "Sward_MpiCommunicator.hpp"
#include "Sward_Trainer.hpp"
#include "Sward_TrainingFolder.hpp"

namespace Sward::Test {

/// One way of training.
struct TrainingRun {
  std::string method;
  std::string selection;
  std::string order;
  std::vector<std::string> more = {};  ///< settings that go over those of all runs
};

inline void PrintTo(const TrainingRun& run, std::ostream* out) {
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
  bool train(const TrainingRun& run, const std::string& output, const std::string& resume, std::int64_t stop) {
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

  Communicator<MpiSpace> communicator_{MPI_COMM_WORLD};
  std::unique_ptr<TrainingFolder> folder_;
  std::filesystem::path path_;
};

}  // namespace Sward::Test
