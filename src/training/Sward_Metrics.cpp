#include "Sward_Metrics.hpp"

#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>

#include "Sward_AtomicFile.hpp"

namespace Sward {

namespace {

[[noreturn]] void fail(const std::filesystem::path& path, const char* what) {
  throw std::runtime_error(path.string() + ": " + what + ": " + std::strerror(errno));
}

/// The update that a line belongs to; none if the line is damaged.
std::optional<std::int64_t> step_of(const std::string& line) {
  const auto entry = nlohmann::json::parse(line, nullptr, false);
  if (!entry.is_object() || !entry.contains("step") || !entry["step"].is_number_integer()) return std::nullopt;
  return entry["step"].get<std::int64_t>();
}

/// A damaged line goes where the one before it goes, but for a last one that a crash cut short, which is dropped.
void drop_lines_from(const std::filesystem::path& path, std::int64_t first_step) {
  std::ifstream old(path);
  if (!old) fail(path, "cannot be read");
  AtomicFile atomic(path);
  std::ofstream kept(atomic.temporary());
  bool keeps = first_step > 0;
  for (std::string line; std::getline(old, line);) {
    const auto step = step_of(line);
    if (step) keeps = *step < first_step;
    if (keeps && (step || !old.eof())) kept << line << '\n';
  }
  if (old.bad()) fail(path, "cannot be read");
  kept.close();
  if (!kept) fail(path, "cannot be rewritten");
  atomic.commit();
}

}  // namespace

MetricsFile::MetricsFile(const std::filesystem::path& path, std::int64_t first_step) : path_(path) {
  if (std::filesystem::exists(path)) drop_lines_from(path, first_step);
  file_ = std::fopen(path.c_str(), "a");
  if (file_ == nullptr) fail(path_, "cannot be opened for writing");
}

MetricsFile::~MetricsFile() { std::fclose(file_); }

void MetricsFile::write(const UpdateMetrics& metrics) {
  nlohmann::ordered_json line;
  line["step"] = metrics.step;
  line["loss"] = metrics.loss;
  line["learning_rate"] = metrics.learning_rate;
  line["gradient_norm"] = metrics.gradient_norm;
  line["tokens"] = metrics.tokens;
  line["tokens_per_second"] = metrics.tokens_per_second;
  line["step_seconds"] = metrics.step_seconds;
  line["communicated_bytes"] = metrics.communicated_bytes;
  line["device_memory_bytes"] = metrics.device_memory_bytes;
  line["refreshed"] = metrics.refreshed;
  line["skipped"] = metrics.skipped;
  write_line(line.dump());
}

void MetricsFile::write_evaluation(std::int64_t step, double validation_loss) {
  nlohmann::ordered_json line;
  line["step"] = step;
  line["validation_loss"] = validation_loss;
  line["validation_perplexity"] = std::exp(validation_loss);
  write_line(line.dump());
}

void MetricsFile::write_line(const std::string& line) {
  if (std::fputs((line + "\n").c_str(), file_) < 0 || std::fflush(file_) != 0) fail(path_, "cannot be written");
}

}  // namespace Sward
