#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>

namespace Sward {

/// One update, as metrics.jsonl records it.
struct UpdateMetrics {
  std::int64_t step = 0;
  double loss = 0.0;  ///< mean over the update's tokens of all ranks, nats; null in the file where it is not finite
  double learning_rate = 0.0;
  double gradient_norm = 0.0;  ///< of the compressed and dense gradients, before clipping; null as the loss
  std::int64_t tokens = 0;     ///< seen since the start of training, all ranks
  double tokens_per_second = 0.0;
  double step_seconds = 0.0;
  std::uint64_t communicated_bytes = 0;  ///< gradient payload that one rank gave to collectives
  std::uint64_t device_memory_bytes = 0;
  bool refreshed = false;
  bool skipped = false;  ///< not applied, because loss or gradient was not finite
};

/// One JSON object a line, numbers in round-trip precision, handed to the system after every line.
class MetricsFile {
 public:
  /// Opens for appending; lines of updates from `first_step` on, and a last line that was cut short, are dropped.
  /// Throws std::runtime_error.
  MetricsFile(const std::filesystem::path& path, std::int64_t first_step);
  MetricsFile(const MetricsFile&) = delete;
  MetricsFile& operator=(const MetricsFile&) = delete;
  ~MetricsFile();

  /// The line of an update. Throws std::runtime_error when it cannot be written.
  void write(const UpdateMetrics& metrics);
  /// An evaluation after the update with this number.
  void write_evaluation(std::int64_t step, double validation_loss);

 private:
  void write_line(const std::string& line);

  std::filesystem::path path_;
  std::FILE* file_ = nullptr;
};

}  // namespace Sward
