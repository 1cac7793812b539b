#pragma once

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "Sward_Configuration.hpp"
#include "Sward_InputError.hpp"
#include "Sward_TestFiles.hpp"

namespace Sward::Test {

/// The text of a TOML file, key by key, so that a test can change one and say which line it then stands in.
class ConfigurationText {
 public:
  using Section = std::map<std::string, std::string>;

  /// The fewest keys that a run needs.
  ConfigurationText()
      : sections_{{"batch", {{"micro", "2"}, {"sequences", "8"}}},
                  {"data", {{"sequence_length", "16"}, {"train", "'train.h5'"}}},
                  {"grass", {{"rank", "4"}}},
                  {"model", shape_keys()},
                  {"optimizer", {{"learning_rate", "0.01"}}},
                  {"output", {{"directory", "'run'"}}},
                  {"schedule", {{"steps", "100"}}}} {}

  static Section shape_keys() {
    return {{"hidden_size", "48"},
            {"intermediate_size", "100"},
            {"num_heads", "4"},
            {"num_layers", "2"},
            {"vocab_size", "97"}};
  }

  Section& operator[](const std::string& section) { return sections_[section]; }
  /// Gives a dotted key a value in TOML's notation, or takes it away.
  ConfigurationText& set(const std::string& key, const std::optional<std::string>& value) {
    Section& section = sections_[key.substr(0, key.find('.'))];
    const std::string name = key.substr(key.find('.') + 1);
    section.erase(name);
    if (value) section[name] = *value;
    return *this;
  }
  std::string text() const {
    std::string text;
    for (const auto& [name, keys] : sections_) {
      text += "[" + name + "]\n";
      for (const auto& [key, value] : keys) text += key + " = " + value + "\n";
    }
    return text;
  }
  /// Line of a key, or of its section's header where there is no such key.
  std::string line_of(const std::string& key) const {
    int line = 0;
    for (const auto& [name, keys] : sections_) {
      const int header = ++line;
      for (const auto& entry : keys) {
        ++line;
        if (name + "." + entry.first == key) return std::to_string(line);
      }
      if (name == key.substr(0, key.find('.'))) return std::to_string(header);
    }
    return "none";
  }

 private:
  std::map<std::string, Section> sections_;
};

/// Reads a configuration from a file with this text.
inline Configuration read_text(const std::string& text, const std::vector<std::string>& settings = {}) {
  const TemporaryFolder folder;
  write_file(folder / "run.toml", text);
  return read_configuration(folder / "run.toml", settings);
}

/// The error that a text gives, without the folder in front of the file's name; it is one line.
inline std::string error_of(const std::string& text, const std::vector<std::string>& settings = {}) {
  const TemporaryFolder folder;
  write_file(folder / "run.toml", text);
  std::string message = message_of<InputError>([&] { read_configuration(folder / "run.toml", settings); });
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  const std::string prefix = folder.path().string() + "/";
  if (message.rfind(prefix, 0) == 0) message.erase(0, prefix.size());
  return message;
}

}  // namespace Sward::Test
