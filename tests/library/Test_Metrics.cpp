#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <numbers>

#include "Sward_Metrics.hpp"
#include "Sward_TestFiles.hpp"

namespace Sward::Test {
namespace {

using nlohmann::json;
using testing::ElementsAre;

std::vector<std::string> lines_of(const std::filesystem::path& path) {
  std::ifstream stream(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::vector<std::string> keys_of(const std::string& line) {
  std::vector<std::string> keys;
  const auto object = nlohmann::ordered_json::parse(line);
  for (const auto& item : object.items()) keys.push_back(item.key());
  return keys;
}

/// The steps of all lines of a file; those of evaluations are negative, counted from -1.
std::vector<std::int64_t> steps_of(const std::filesystem::path& path) {
  std::vector<std::int64_t> steps;
  for (const std::string& line : lines_of(path)) {
    const json entry = json::parse(line);
    const auto step = entry["step"].get<std::int64_t>();
    steps.push_back(entry.contains("validation_loss") ? -1 - step : step);
  }
  return steps;
}

UpdateMetrics metrics_of(std::int64_t step) {
  UpdateMetrics metrics;
  metrics.step = step;
  return metrics;
}

/// Updates 0 to 4, with evaluations after 1 and 3.
void write_five_updates(const std::filesystem::path& path) {
  MetricsFile file(path, 0);
  for (std::int64_t step = 0; step < 5; ++step) {
    file.write(metrics_of(step));
    if (step % 2 == 1) file.write_evaluation(step, 1.0);
  }
}

TEST(Metrics, have_the_documented_keys) {
  const TemporaryFolder folder;
  {
    MetricsFile file(folder / "metrics.jsonl", 0);
    file.write(metrics_of(0));
    file.write_evaluation(0, 2.0);
  }
  const std::vector<std::string> lines = lines_of(folder / "metrics.jsonl");
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_THAT(keys_of(lines[0]),
              ElementsAre("step", "loss", "learning_rate", "gradient_norm", "tokens", "tokens_per_second",
                          "step_seconds", "communicated_bytes", "device_memory_bytes", "refreshed", "skipped"));
  EXPECT_THAT(keys_of(lines[1]), ElementsAre("step", "validation_loss", "validation_perplexity"));
}

TEST(Metrics, keep_every_bit_of_a_number) {
  const TemporaryFolder folder;
  UpdateMetrics metrics;
  metrics.step = std::int64_t{1} << 53;
  metrics.loss = 10.0 / 3.0;
  metrics.learning_rate = 1e-300 / 7.0;
  metrics.gradient_norm = std::nextafter(1.0, 2.0);
  metrics.tokens = std::numeric_limits<std::int64_t>::max();
  metrics.tokens_per_second = 1e17 / 3.0;
  metrics.step_seconds = 0.1;
  metrics.communicated_bytes = std::numeric_limits<std::uint64_t>::max();
  metrics.device_memory_bytes = (std::uint64_t{1} << 60) + 1;
  metrics.refreshed = true;
  const double validation = std::numbers::pi;
  {
    MetricsFile file(folder / "metrics.jsonl", 0);
    file.write(metrics);
    file.write_evaluation(metrics.step, validation);
  }
  const std::vector<std::string> lines = lines_of(folder / "metrics.jsonl");
  ASSERT_EQ(lines.size(), 2U);
  const json update = json::parse(lines[0]);
  EXPECT_EQ(update["step"].get<std::int64_t>(), metrics.step);
  EXPECT_EQ(update["loss"].get<double>(), metrics.loss);
  EXPECT_EQ(update["learning_rate"].get<double>(), metrics.learning_rate);
  EXPECT_EQ(update["gradient_norm"].get<double>(), metrics.gradient_norm);
  EXPECT_EQ(update["tokens"].get<std::int64_t>(), metrics.tokens);
  EXPECT_EQ(update["tokens_per_second"].get<double>(), metrics.tokens_per_second);
  EXPECT_EQ(update["step_seconds"].get<double>(), metrics.step_seconds);
  EXPECT_EQ(update["communicated_bytes"].get<std::uint64_t>(), metrics.communicated_bytes);
  EXPECT_EQ(update["device_memory_bytes"].get<std::uint64_t>(), metrics.device_memory_bytes);
  EXPECT_EQ(update["refreshed"], true);
  const json evaluation = json::parse(lines[1]);
  EXPECT_EQ(evaluation["step"].get<std::int64_t>(), metrics.step);
  EXPECT_EQ(evaluation["validation_loss"].get<double>(), validation);
  EXPECT_NEAR(evaluation["validation_perplexity"].get<double>(), 23.140692632779267, 1e-13);
}

TEST(Metrics, are_on_disk_after_every_line) {
  const TemporaryFolder folder;
  MetricsFile file(folder / "metrics.jsonl", 0);
  for (std::int64_t step = 0; step < 3; ++step) {
    file.write(metrics_of(step));
    const std::string text = read_file(folder / "metrics.jsonl");
    ASSERT_FALSE(text.empty());
    EXPECT_EQ(text.back(), '\n');
    EXPECT_EQ(lines_of(folder / "metrics.jsonl").size(), static_cast<std::size_t>(step + 1));
  }
}

TEST(Metrics, drop_updates_and_evaluations_from_the_first_step_on) {
  const TemporaryFolder folder;
  write_five_updates(folder / "metrics.jsonl");
  ASSERT_THAT(steps_of(folder / "metrics.jsonl"), ElementsAre(0, 1, -2, 2, 3, -4, 4));
  const std::string before = read_file(folder / "metrics.jsonl");
  {
    MetricsFile file(folder / "metrics.jsonl", 3);
    EXPECT_THAT(steps_of(folder / "metrics.jsonl"), ElementsAre(0, 1, -2, 2));
    EXPECT_EQ(before.rfind(read_file(folder / "metrics.jsonl"), 0), 0U);
    file.write(metrics_of(3));
  }
  EXPECT_THAT(steps_of(folder / "metrics.jsonl"), ElementsAre(0, 1, -2, 2, 3));
  const MetricsFile afresh(folder / "metrics.jsonl", 0);
  EXPECT_THAT(steps_of(folder / "metrics.jsonl"), ElementsAre());
  EXPECT_EQ(folder.file_count(), 1U);
}

TEST(Metrics, keep_the_file_where_nothing_is_to_be_dropped) {
  const TemporaryFolder folder;
  write_five_updates(folder / "metrics.jsonl");
  const std::string before = read_file(folder / "metrics.jsonl");
  { const MetricsFile file(folder / "metrics.jsonl", 5); }
  EXPECT_EQ(read_file(folder / "metrics.jsonl"), before);
}

TEST(Metrics, drop_a_line_that_a_crash_cut_short) {
  const TemporaryFolder folder;
  write_five_updates(folder / "metrics.jsonl");
  const std::string whole = read_file(folder / "metrics.jsonl");
  const std::size_t last = whole.rfind('\n', whole.size() - 2) + 1;
  for (const std::size_t size : {last + 1, last + 9, last + 10, whole.size() - 2}) {
    write_file(folder / "metrics.jsonl", whole.substr(0, size));
    MetricsFile file(folder / "metrics.jsonl", 100);
    file.write(metrics_of(7));
    EXPECT_THAT(steps_of(folder / "metrics.jsonl"), ElementsAre(0, 1, -2, 2, 3, -4, 7)) << size;
  }
}

TEST(Metrics, keep_a_damaged_line_among_others) {
  const TemporaryFolder folder;
  write_five_updates(folder / "metrics.jsonl");
  std::vector<std::string> lines = lines_of(folder / "metrics.jsonl");
  const auto write_lines = [&](std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) text += lines[i] + "\n";
    return text;
  };
  for (const std::size_t damaged : {1U, 3U, 5U}) lines[damaged][2] = '"';
  write_file(folder / "metrics.jsonl", write_lines(lines.size()));
  { const MetricsFile file(folder / "metrics.jsonl", 5); }
  EXPECT_EQ(read_file(folder / "metrics.jsonl"), write_lines(lines.size()));
  // One that follows a dropped line goes with it.
  { const MetricsFile file(folder / "metrics.jsonl", 3); }
  EXPECT_EQ(read_file(folder / "metrics.jsonl"), write_lines(4));
  { const MetricsFile file(folder / "metrics.jsonl", 0); }
  EXPECT_EQ(read_file(folder / "metrics.jsonl"), "");
}

TEST(Metrics, go_on_behind_a_last_line_without_its_end) {
  const TemporaryFolder folder;
  write_five_updates(folder / "metrics.jsonl");
  const std::string whole = read_file(folder / "metrics.jsonl");
  write_file(folder / "metrics.jsonl", whole.substr(0, whole.size() - 1));
  { MetricsFile(folder / "metrics.jsonl", 5).write(metrics_of(5)); }
  EXPECT_THAT(steps_of(folder / "metrics.jsonl"), ElementsAre(0, 1, -2, 2, 3, -4, 4, 5));
}

TEST(Metrics, name_a_file_that_cannot_be_written) {
  const TemporaryFolder folder;
  EXPECT_THAT(message_of<std::runtime_error>([&] { MetricsFile(folder / "none/metrics.jsonl", 0); }),
              testing::HasSubstr("none/metrics.jsonl: cannot be opened"));
}

}  // namespace
}  // namespace Sward::Test
