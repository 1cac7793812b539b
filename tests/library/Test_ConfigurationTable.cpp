#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "Sward_Configuration.hpp"
#include "Sward_ConfigurationText.hpp"
#include "Sward_InputError.hpp"
#include "Sward_TestFiles.hpp"

// Seen through read_configuration, which asks the table for every key.

namespace Sward::Test {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

TEST(ConfigurationTable, settings_go_over_the_file) {
  const std::vector<std::string> settings{"batch.micro=4",
                                          "optimizer.betas=[0.5, 0.75]",
                                          "grass.selection=top-r",
                                          "data.train=/some folder/a b.h5",
                                          "output.directory=\"quoted\"",
                                          "run.seed=9",
                                          "schedule.steps=7",
                                          "schedule.steps=8"};
  const Configuration c = read_text(ConfigurationText().text(), settings);
  EXPECT_EQ(c.batch.micro, 4);
  EXPECT_EQ(c.batch.sequences, 8);
  EXPECT_EQ(c.optimizer.adam.beta2, 0.75);
  EXPECT_EQ(c.optimizer.grass_constants.selection, Selection::top_r);
  EXPECT_EQ(c.data.train.at(0).path, "/some folder/a b.h5");
  EXPECT_EQ(c.output.directory, "quoted");
  EXPECT_EQ(c.seed, 9U);
  EXPECT_EQ(c.schedule.steps, 8);
}

struct Mistake {
  std::string key;
  std::optional<std::string> value;  ///< none: the key is left out
  std::string wanted;                ///< what the message says after the key
};

void PrintTo(const Mistake& mistake, std::ostream* out) { *out << mistake.key << " = " << mistake.value.value_or(""); }

class ConfigurationMistake : public ::testing::TestWithParam<Mistake> {};

TEST_P(ConfigurationMistake, names_file_line_key_and_what_is_allowed) {
  const Mistake& mistake = GetParam();
  ConfigurationText text;
  text.set(mistake.key, mistake.value);
  EXPECT_EQ(error_of(text.text()),
            "run.toml:" + text.line_of(mistake.key) + ": key '" + mistake.key + "' " + mistake.wanted);
}

INSTANTIATE_TEST_SUITE_P(
    Keys, ConfigurationMistake,
    ::testing::Values(
        Mistake{"batch.mikro", "2", "is unknown; allowed in [batch]: micro, sequences; did you mean 'micro'?"},
        Mistake{"batch.macrosteps", "2", "is unknown; allowed in [batch]: micro, sequences"},
        Mistake{"bach.micro", "2",
                "is in an unknown section; allowed: [batch], [data], [grass], [model], [optimizer], [output], "
                "[precision], [run], [schedule]"},
        Mistake{"batch.micro", "'2'", "must be an integer, at least 1"},
        Mistake{"batch.micro", "2.0", "must be an integer, at least 1"},
        Mistake{"batch.micro", "0", "is 0; allowed: at least 1"},
        Mistake{"batch.micro", "4000000000",
                "times 'data.sequence_length' is more than 2147483647, the most tokens of one pass"},
        Mistake{"batch.sequences", "-8", "is -8; allowed: at least 1"}, Mistake{"batch.micro", {}, "is missing"},
        Mistake{"schedule.steps", {}, "is missing"}, Mistake{"data.train", {}, "is missing"},
        Mistake{"grass.rank", {}, "is missing"}, Mistake{"optimizer.learning_rate", {}, "is missing"},
        Mistake{"model.num_layers", {}, "is missing, and neither 'model.preset' nor 'model.initial' gives it"},
        Mistake{"data.train", "3", "must be a string or a list of {path, weight}"},
        Mistake{"data.train", "''", "is empty"}, Mistake{"data.train", "[]", "is empty"},
        Mistake{"data.train", "[{path = 'a', weight = 1e-6}, {path = 'b', weight = 1e9}]",
                "has weights too far apart: give them fewer digits"},
        Mistake{"data.attention", "'none'", "is \"none\"; allowed: \"sequence\", \"document\""},
        Mistake{"optimizer.learning_rate", "'fast'", "must be a number, at least 0"},
        Mistake{"optimizer.learning_rate", "-0.5", "is -0.5; allowed: at least 0"},
        Mistake{"optimizer.learning_rate", "nan", "is nan; allowed: at least 0"},
        Mistake{"optimizer.learning_rate", "inf", "is inf; allowed: at least 0"},
        Mistake{"optimizer.betas", "[0.9]", "must be a list of 2 numbers"},
        Mistake{"optimizer.betas", "[0.9, 1.0]", "must be below 1"},
        Mistake{"optimizer.betas", "[0.9, 1.5]", "is 1.5; allowed: from 0 to 1"},
        Mistake{"optimizer.method", "'sgd'", "is \"sgd\"; allowed: \"grass\", \"adamw\""},
        Mistake{"optimizer.method", "true", "must be a string; allowed: \"grass\", \"adamw\""},
        Mistake{"optimizer.state", "'int4'", "is \"int4\"; allowed: \"float\", \"bfloat16\", \"int8\""},
        Mistake{"schedule.final_fraction", "1.5", "is 1.5; allowed: from 0 to 1"},
        Mistake{"grass.matrices", "'mlp'", "must be a list of strings"},
        Mistake{"grass.matrices", "['norm']", "has \"norm\"; allowed: \"attention\", \"mlp\", \"head\""},
        Mistake{"model.tie_embeddings", "1", "must be true or false"},
        Mistake{"model.preset", "'llama-2b'",
                "is \"llama-2b\"; allowed: llama-60m, llama-130m, llama-350m, llama-1b, llama-7b, llama-13b, "
                "llama-65b"},
        Mistake{"output.keep", "0", "is 0; allowed: at least 1"},
        Mistake{"precision.compute", "'float4'", "is \"float4\"; allowed: \"float\", \"bfloat16\", \"float8\""},
        Mistake{"run.recompute", "'all'", "is \"all\"; allowed: \"none\", \"attention\", \"block\""},
        Mistake{"run.seed", "-1", "is -1; allowed: at least 0"}));

TEST(ConfigurationTable, names_the_file_of_a_mixture_that_is_wrong) {
  const auto error = [](const std::string& second) {
    ConfigurationText text;
    // Spread over lines, so that the second entry has a line of its own.
    text.set("data.train", "[\n{path = 'a.h5', weight = 1},\n" + second + "]");
    const int line = std::stoi(text.line_of("data.train")) + 2;
    std::string message = error_of(text.text());
    const std::string place = "run.toml:" + std::to_string(line) + ": key 'data.train[1]";
    EXPECT_THAT(message, StartsWith(place));
    return message.substr(std::min(message.size(), place.size()));
  };
  EXPECT_EQ(error("'b.h5'"), "' must be {path = \"...\", weight = ...}");
  EXPECT_EQ(error("{path = 'b.h5'}"), "' has no weight");
  EXPECT_EQ(error("{weight = 1}"), "' has no path");
  EXPECT_EQ(error("{path = 'b.h5', wieght = 1}"), ".wieght' is unknown; allowed in 'data.train[1]': path, weight");
  EXPECT_EQ(error("{path = '', weight = 1}"), ".path' must be a string, not empty");
  EXPECT_EQ(error("{path = 1, weight = 1}"), ".path' must be a string, not empty");
  EXPECT_EQ(error("{path = 'b.h5', weight = 0}"), ".weight' is 0; allowed: from 1e-06 to 1e+09");
  EXPECT_EQ(error("{path = 'b.h5', weight = 'much'}"), ".weight' must be a number, from 1e-06 to 1e+09");
}

TEST(ConfigurationTable, names_a_required_key_by_its_misspelling) {
  const auto error = [](const std::string& key, const std::string& misspelling) {
    ConfigurationText text;
    text.set(key, {}).set(misspelling, "1");
    const std::string place = "run.toml:" + text.line_of(misspelling) + ": key '" + misspelling + "' is ";
    EXPECT_THAT(error_of(text.text()), StartsWith(place));
    return error_of(text.text());
  };
  EXPECT_THAT(error("model.hidden_size", "model.hiden"), EndsWith("; did you mean 'hidden_size'?"));
  EXPECT_THAT(error("data.train", "data.trian"), EndsWith("; did you mean 'train'?"));
  EXPECT_THAT(error("data.sequence_length", "data.sequence_lenght"), EndsWith("; did you mean 'sequence_length'?"));
  EXPECT_THAT(error("grass.rank", "grass.rnk"), EndsWith("; did you mean 'rank'?"));
  EXPECT_THAT(error("schedule.steps", "schedule.step"), EndsWith("; did you mean 'steps'?"));
  EXPECT_THAT(error("optimizer.learning_rate", "optimizer.lr"), EndsWith("weight_decay"));
  EXPECT_THAT(error("output.directory", "outptu.directory"), HasSubstr("is in an unknown section; allowed: "));
}

TEST(ConfigurationTable, names_a_key_outside_a_section) {
  EXPECT_EQ(error_of("# a comment\nmicro = 2\n" + ConfigurationText().text()),
            "run.toml:2: key 'micro' stands outside any [section]");
  EXPECT_EQ(error_of("'.' = 1\n"), "run.toml: key '.' stands outside any [section]");
}

TEST(ConfigurationTable, names_the_line_of_bad_syntax) {
  EXPECT_THAT(error_of("[batch]\nmicro = 2\nsequences = \n"), StartsWith("run.toml:3: "));
  EXPECT_THAT(error_of("[batch]\nmicro = 2\nmicro = 3\n"), StartsWith("run.toml:3: "));
  EXPECT_THAT(error_of("[batch\n"), StartsWith("run.toml:1: "));
  const TemporaryFolder folder;
  EXPECT_THAT(message_of<InputError>([&] { read_configuration(folder / "none.toml"); }),
              HasSubstr("none.toml: no such configuration file"));
}

TEST(ConfigurationTable, refuses_what_toml_plus_plus_does_not_survive) {
  const auto dotted = [](int dots) {
    std::string key = "a";
    for (int i = 0; i < dots; ++i) key += ".a";
    return key;
  };
  const std::string text = ConfigurationText().text();
  const std::string line = std::to_string(1 + std::count(text.begin(), text.end(), '\n'));
  const std::string many = "the text has more than 10000 dots outside quotes, so keys may nest too deep";
  EXPECT_THAT(error_of(text + dotted(9'000) + " = 1\n"), HasSubstr("key 'schedule.a' is unknown"));
  EXPECT_EQ(error_of(text + dotted(1'000'000) + " = 1\n"), "run.toml:" + line + ": " + many);
  EXPECT_THAT(error_of(text, {dotted(100'000) + "=1"}), EndsWith("=1: " + many));
  const std::string strange = "a character other than plain ASCII stands outside quotes";
  EXPECT_EQ(error_of(text + "größe = 1\n"), "run.toml:" + line + ": " + strange);
  EXPECT_EQ(error_of(text, {"run.größe=1"}), "--set run.größe=1: " + strange);
  const std::string escaped = "a backslash stands before a character other than plain ASCII";
  EXPECT_EQ(error_of(text + R"(a = """\\ä \ä""")" + "\n"), "run.toml:" + line + ": " + escaped);
  EXPECT_EQ(error_of(text + "a = \"\"\"\\\n  ä\"\"\"\n"), "run.toml:" + line + ": " + escaped);
  EXPECT_THAT(error_of(text + R"(a = '''\ä \\ä''')" + "\n"), HasSubstr("key 'schedule.a' is unknown"));
  EXPECT_THAT(error_of(text + R"(a = "\\ä")" + "\n"), HasSubstr("key 'schedule.a' is unknown"));
  EXPECT_EQ(read_text(text + "# größe\n", {"output.directory=/größe", "data.train='ä'"}).output.directory, "/größe");
}

TEST(ConfigurationTable, names_a_shape_that_cannot_be) {
  ConfigurationText text;
  text.set("model.hidden_size", "50");
  EXPECT_EQ(error_of(text.text()), "run.toml:" + text.line_of("model") +
                                       ": [model]: hidden_size is 50, which is not a multiple of num_heads = 4");
}

TEST(ConfigurationTable, names_what_is_wrong_in_an_inline_table) {
  const auto error_with = [](const std::string& value) {
    const ConfigurationText text = ConfigurationText().set("model.rope_scaling", value);
    const std::string line = "run.toml:" + text.line_of("model.rope_scaling") + ": key 'model.rope_scaling";
    const std::string error = error_of(text.text());
    EXPECT_THAT(error, StartsWith(line));
    return error.substr(line.size());
  };
  EXPECT_EQ(error_with("'linear'"), "' must be \"none\" or a table {rope_type = ..., factor = ...}");
  EXPECT_EQ(error_with("4"), "' must be \"none\" or a table {rope_type = ..., factor = ...}");
  EXPECT_EQ(error_with("{factor = 4}"), ".rope_type' is missing");
  EXPECT_EQ(error_with("{rope_typ = 'linear', factor = 4}"),
            ".rope_typ' is unknown; allowed in [model.rope_scaling]: factor, high_freq_factor, low_freq_factor, "
            "original_max_position_embeddings, rope_type; did you mean 'rope_type'?");
  EXPECT_EQ(error_with("{type = 'yarn'}"), ".type' is \"yarn\"; allowed: \"default\", \"linear\", \"llama3\"");
  EXPECT_EQ(error_with("{rope_type = 'linear'}"), ".factor' is missing");
  EXPECT_EQ(error_with("{rope_type = 'linear', factor = 0.5}"), ".factor' is 0.5; allowed: at least 1");
  EXPECT_EQ(error_with("{rope_type = 'linear', factor = 2, low_freq_factor = 1}"),
            ".low_freq_factor' is unknown; allowed in [model.rope_scaling]: factor, rope_type");
  EXPECT_EQ(error_with("{type = 'linear', rope_type = 'linear', factor = 2}"),
            ".rope_type' is unknown; allowed in [model.rope_scaling]: factor, type");
  EXPECT_EQ(error_with("{rope_type = 'llama3', factor = 8, low_freq_factor = 1, high_freq_factor = 4}"),
            ".original_max_position_embeddings' is missing");
  const std::string unknown = error_of(ConfigurationText()
                                           .set("model.rope_scaling", "{rope_type = 'linear', factor = 2}")
                                           .set("model.rope", "1")
                                           .text());
  EXPECT_THAT(unknown, HasSubstr("key 'model.rope' is unknown; allowed in [model]: hidden_size, initial,"));
  EXPECT_THAT(unknown, HasSubstr("rope_scaling, rope_theta"));
}

TEST(ConfigurationTable, names_the_setting_that_is_wrong) {
  const std::string text = ConfigurationText().text();
  EXPECT_EQ(error_of(text, {"batch.micro=0"}), "--set batch.micro=0: key 'batch.micro' is 0; allowed: at least 1");
  EXPECT_EQ(error_of(text, {"batch.micro=two"}),
            "--set batch.micro=two: key 'batch.micro' must be an integer, at least 1");
  EXPECT_THAT(error_of(text, {"run.sede=1"}), StartsWith("--set run.sede=1: key 'run.sede' is unknown; allowed"));
  for (const std::string setting : {"batch", "batch.micro", "micro=3", "=3", ".=", "'a.b'=1", "batch.micro=1\nseed=2"})
    EXPECT_THAT(message_of<InputError>([&] { read_text(text, {setting}); }), StartsWith("--set " + setting));
}

}  // namespace
}  // namespace Sward::Test
