#pragma once

#include <toml++/impl/forward_declarations.h>  // nvcc does not understand the whole

#include <cstdint>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace Sward {

/// A TOML file with settings laid over it, read key by key; every error names the place, the key and what is allowed.
class ConfigurationTable {
 public:
  /// Throws InputError when the file cannot be read or a setting is not `section.key=value`.
  ConfigurationTable(const std::filesystem::path& file, const std::vector<std::string>& settings);
  ConfigurationTable(const ConfigurationTable&) = delete;
  ConfigurationTable& operator=(const ConfigurationTable&) = delete;
  ~ConfigurationTable();

  /// Whether the file or a setting has the key.
  bool has(const std::string& key) const;
  /// Whether the key has a table, whose own keys are then "key.name"; one that nothing asks for is unknown.
  bool is_table(const std::string& key);
  bool is_word(const std::string& key, const std::string& word);

  /// Values by dotted key ("batch.micro"); the second form is for keys that may be left out. One that may not and is
  /// missing has some value, until `check_keys`.
  std::string text(const std::string& key);
  std::string text(const std::string& key, const std::string& otherwise);
  bool boolean(const std::string& key, bool otherwise);
  std::int64_t integer(const std::string& key, std::int64_t least);
  std::int64_t integer(const std::string& key, std::int64_t least, std::int64_t otherwise);
  /// A number between both bounds, both included; an integer is taken as well.
  double number(const std::string& key, double least, double most);
  double number(const std::string& key, double least, double most, double otherwise);
  std::vector<double> numbers(const std::string& key, double least, double most, std::vector<double> otherwise);
  std::vector<std::string> texts(const std::string& key, std::vector<std::string> otherwise);
  /// A list of {path, weight}, or a string: a path alone, of weight 1. Weights lie between both bounds.
  std::vector<std::pair<std::string, double>> weighted_paths(const std::string& key, double least, double most);

  /// One of the given words, as the value that goes with it.
  template <class Value>
  Value choice(const std::string& key, const std::vector<std::pair<std::string, Value>>& choices,
               const std::string& otherwise) {
    std::string allowed;
    for (const auto& [name, value] : choices) allowed += (allowed.empty() ? "\"" : ", \"") + name + "\"";
    if (has(key) && !is_string(key)) fail(key, "must be a string; allowed: " + allowed);
    const std::string word = text(key, otherwise);
    for (const auto& [name, value] : choices)
      if (name == word) return value;
    fail(key, "is \"" + word + "\"; allowed: " + allowed);
  }

  /// Throws InputError for the first key that nothing has asked for: where a required key is missing, it may be that
  /// key misspelt. Else for the first required key that was asked for and is missing.
  void check_keys() const;
  /// Throws InputError "file:line: key 'a.b' message".
  [[noreturn]] void fail(const std::string& key, const std::string& message) const;
  /// "file:line" of a key or a section, or the setting that it comes from.
  std::string place(const std::string& key) const;
  /// The merged table in TOML's notation.
  std::string to_text() const;

 private:
  const toml::node* find(const std::string& key);
  const toml::node* find_required(const std::string& key);
  bool is_string(const std::string& key) const;
  std::string text_of(const toml::node& string, const std::string& key) const;
  std::pair<std::string, double> weighted_path(const toml::node& node, const std::string& key, double least,
                                               double most) const;
  void check_known(const std::string& section, const toml::table& table) const;
  [[noreturn]] void fail_unknown(const std::string& section, const std::string& key) const;
  double number_of(const toml::node& node, const std::string& key, double least, double most) const;
  void set(const std::string& setting);

  std::string file_;
  std::unique_ptr<toml::table> table_;
  std::set<std::string> asked_;
  std::string missing_;
};

}  // namespace Sward
