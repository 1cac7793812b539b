#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

#include "Sward_CheckpointFile.hpp"
#include "Sward_HuggingFaceFolder.hpp"
#include "Sward_RunCommand.hpp"
#include "Sward_TestFiles.hpp"

// The reference trajectories of tests/data/golden (Hugging Face's model in double precision, golden.py) through the
// programs alone: sward-convert in, sward-train, sward-convert out.

namespace Sward::Test {
namespace {

using nlohmann::json;

struct Case {
  std::string name;
  int ranks;
  std::string recompute;
  int micro;
  std::string precision = "float";
  std::string shard = "none";
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.name << ", " << c.ranks << " ranks, recompute " << c.recompute << ", micro " << c.micro << ", "
       << c.precision << ", shard " << c.shard;
}

/// How far a trajectory may lie from the one in double precision.
struct Tolerance {
  double loss;
  double gradient_norm;  ///< relative
  double far_share;      ///< of weights that end further than 2e-5 from the reference
  double distance;       ///< of the weights, relative to the whole update
  std::size_t rows;      ///< selected otherwise, of each refresh
};

/// In bfloat16 a value is off by up to 2⁻⁹ of its size, in the root mean square by 2⁻⁹ / √3. On the way to a loss some
/// 16 roundings a block add up like a random walk (two blocks: √32), and an average of logits of size 1 is off by
/// 2⁻⁹ √32 / √3 = 6e-3 at most, if all tokens err alike. Weights of size 0.08 lie 2⁻¹¹ apart, so that an update rounds
/// with a root mean square of 2⁻¹¹ / √6 = 2e-4: over 7 updates 5.3e-4, and the first conversion 1.4e-4 more, beside
/// updates of 2.5e-3 to 3e-3 each, of which about half point the same way: 0.1 of the whole, or twice that with what
/// the changed gradients do to Adam's first steps, which are signs. An update that is missing or wrong is off by 1.
Tolerance tolerance_of(const Case& c) {
  if (c.precision == "float") return {1e-4, 2e-3, 1e-3, 5e-3, 0};
  return {6e-3, 2e-2, 1.0, 0.2, 1};
}

std::string configuration_text(const json& expected, const Case& c, const std::filesystem::path& folder) {
  const json& optimizer = expected["optimizer"];
  std::ostringstream text;
  text << "[data]\ntrain = '" << (golden_folder(c.name) / "tokens.h5").string()
       << "'\nsequence_length = " << expected["T"] << "\norder = 'sequential'\n[batch]\nsequences = " << expected["B"]
       << "\nmicro = " << c.micro << "\n[optimizer]\nmethod = " << optimizer["method"]
       << "\nlearning_rate = " << optimizer["lr"] << "\nweight_decay = " << optimizer["wd"]
       << "\nbetas = " << expected["betas"].dump() << "\n[schedule]\nsteps = " << expected["steps"]
       << "\nshape = 'constant'\n";
  if (optimizer["method"] == "grass")
    text << "[grass]\nselection = 'top-r'\nrank = " << optimizer["rank"] << "\nrefresh_interval = " << optimizer["K"]
         << "\nscale = " << optimizer["scale"] << "\nrefresh_warmup = 0\n";
  text << "[precision]\ncompute = '" << c.precision << "'\n[run]\nrecompute = '" << c.recompute << "'\nshard = '"
       << c.shard << "'\n[output]\ndirectory = '" << (folder / "out").string()
       << "'\ncheckpoint_interval = 1\nkeep = 100\n";
  return text.str();
}

std::vector<json> read_lines(const std::filesystem::path& path) {
  std::ifstream stream(path);
  std::vector<json> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(json::parse(line));
  return lines;
}

void compare_losses(const json& expected, const std::filesystem::path& metrics, const Tolerance& tolerance) {
  const std::vector<json> lines = read_lines(metrics);
  ASSERT_EQ(lines.size(), expected["log"].size());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const json& wanted = expected["log"][i];
    EXPECT_EQ(lines[i]["step"], wanted["step"]);
    EXPECT_NEAR(lines[i]["loss"].get<double>(), wanted["loss"].get<double>(), tolerance.loss);
    const double norm = wanted["compressed_gradient_norm"];
    EXPECT_NEAR(lines[i]["gradient_norm"].get<double>(), norm, tolerance.gradient_norm * norm);
  }
}

void compare_weights(const std::filesystem::path& start, const std::filesystem::path& reference,
                     const std::filesystem::path& result, const Tolerance& tolerance) {
  const HuggingFaceFolder first(start);
  const SafetensorsFile wanted(reference);
  const HuggingFaceFolder got(result);
  std::size_t far = 0;
  std::size_t count = 0;
  double distance = 0.0;
  double update = 0.0;
  for (const ParameterInfo& parameter : got.parameters()) {
    const std::vector<float> a = got.read(parameter.name);
    const std::vector<float> b = wanted.read(parameter.name);
    const std::vector<float> s = first.read(parameter.name);
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
      const double error = static_cast<double>(a[i]) - static_cast<double>(b[i]);
      const double moved = static_cast<double>(b[i]) - static_cast<double>(s[i]);
      far += std::abs(error) <= 2e-5 ? 0 : 1;
      distance += error * error;
      update += moved * moved;
    }
    count += a.size();
  }
  const double far_share = static_cast<double>(far) / static_cast<double>(count);
  const double relative = std::sqrt(distance / update);
  EXPECT_LE(far_share, tolerance.far_share);
  EXPECT_LE(relative, tolerance.distance);
  std::printf("weights further than 2e-5: %.4f%%, distance relative to the update: %.2e\n", 100 * far_share, relative);
}

void compare_rows(const json& expected, const std::filesystem::path& out, const Tolerance& tolerance) {
  for (const json& entry : expected["log"]) {
    if (!entry.contains("selected_layer0_gate")) continue;
    const CheckpointFile checkpoint(checkpoint_path(out, entry["step"].get<std::int64_t>() + 1));
    const auto rows = checkpoint.file().read<std::int32_t>("/optimizer/model.layers.0.mlp.gate_proj.weight/rows");
    const auto wanted = entry["selected_layer0_gate"].get<std::vector<std::int32_t>>();
    ASSERT_EQ(rows.size(), wanted.size());
    std::vector<std::int32_t> missed;  // both are sorted
    std::set_difference(wanted.begin(), wanted.end(), rows.begin(), rows.end(), std::back_inserter(missed));
    EXPECT_LE(missed.size(), tolerance.rows) << "step " << entry["step"];
  }
}

class Golden : public ::testing::TestWithParam<Case> {};

TEST_P(Golden, TrajectoryThroughThePrograms) {
  const Case c = GetParam();
  const TemporaryFolder folder;
  const std::filesystem::path golden = golden_folder(c.name);
  const json expected = json::parse(read_file(golden / "expected.json"));
  write_file(folder / "train.toml", configuration_text(expected, c, folder.path()));

  const std::string start = (folder / "start.h5").string();
  const CommandResult in = run_command(program("sward-convert") + " " + golden.string() + " " + start);
  ASSERT_EQ(in.status, 0) << in.output;
  const CommandResult train = run_command(
      on_ranks(c.ranks, program("sward-train") + " " + (folder / "train.toml").string() + " --resume " + start));
  ASSERT_EQ(train.status, 0) << train.output;
  const std::string last = checkpoint_path(folder / "out", expected["steps"]).string();
  const CommandResult out = run_command(program("sward-convert") + " " + last + " " + (folder / "hf").string());
  ASSERT_EQ(out.status, 0) << out.output;

  const Tolerance tolerance = tolerance_of(c);
  compare_losses(expected, folder / "out/metrics.jsonl", tolerance);
  compare_weights(golden, golden / "final.safetensors", folder / "hf", tolerance);
  compare_rows(expected, folder / "out", tolerance);
}

INSTANTIATE_TEST_SUITE_P(Cases, Golden,
                         ::testing::Values(Case{"tiny-top-r", 1, "none", 4}, Case{"tiny-top-r", 1, "attention", 4},
                                           Case{"tiny-top-r", 1, "block", 4}, Case{"tiny-top-r", 2, "none", 2},
                                           Case{"tiny-top-r", 4, "block", 1}, Case{"tiny-adamw", 1, "none", 4},
                                           Case{"tiny-adamw", 1, "attention", 4}, Case{"tiny-adamw", 1, "block", 4},
                                           Case{"tiny-adamw", 2, "attention", 2}, Case{"tiny-adamw", 4, "none", 1},
                                           Case{"tiny-adamw", 1, "none", 1}, Case{"tiny-adamw", 2, "none", 1},
                                           Case{"tiny-top-r", 1, "none", 4, "bfloat16"},
                                           Case{"tiny-top-r", 2, "block", 2, "bfloat16"},
                                           Case{"tiny-adamw", 1, "none", 4, "bfloat16"}));

INSTANTIATE_TEST_SUITE_P(Shared, Golden,
                         ::testing::Values(Case{"tiny-top-r", 2, "none", 2, "float", "states"},
                                           Case{"tiny-top-r", 4, "block", 1, "float", "states"},
                                           Case{"tiny-adamw", 4, "none", 1, "float", "states"},
                                           Case{"tiny-top-r", 2, "none", 2, "float", "weights"},
                                           Case{"tiny-top-r", 4, "block", 1, "float", "weights"},
                                           Case{"tiny-adamw", 2, "none", 1, "float", "weights"},
                                           Case{"tiny-adamw", 4, "attention", 1, "float", "weights"},
                                           Case{"tiny-top-r", 2, "block", 2, "bfloat16", "weights"}));

}  // namespace
}  // namespace Sward::Test
