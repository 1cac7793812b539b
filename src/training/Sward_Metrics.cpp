#include "Sward_Metrics.hpp"

#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "Sward_AtomicFile.hpp"

namespace Sward {

namespace {

[[noreturn]] void fail(const std::filesystem::path& path, const char* what) {
  throw std::runtime_error(path.string() + ": " + what + ": " + std::strerror(errno));
}

/// A line cut short by a crash is no JSON and goes too.
bool belongs_before(const std::string& line, std::int64_t first_step) {
  const auto entry = nlohmann::json::parse(line, nullptr, false);
  return entry.is_object() && entry.contains("step") && entry["step"].is_number_integer() &&
         entry["step"].get<std::int64_t>() < first_step;
}

void drop_lines_from(const std::filesystem::path& path, std::int64_t first_step) {
  std::ifstream old(path);
  if (!old) fail(path, "cannot be read");
  AtomicFile atomic(path);
  std::ofstream kept(atomic.temporary());
  for (std::string line; std::getline(old, line);)
    if (belongs_before(line, first_step)) kept << line << '\n';
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
