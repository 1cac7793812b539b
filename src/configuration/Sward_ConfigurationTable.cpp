#include "Sward_ConfigurationTable.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <numeric>
#include <sstream>
#include <utility>
#include <variant>

#include "Sward_InputError.hpp"
#include "Sward_TomlFault.hpp"

namespace Sward {

namespace {

std::string plain(double value) {
  std::ostringstream text;
  text << value;
  return text.str();
}

std::string range_text(double least, double most) {
  return std::isinf(most) ? "at least " + plain(least) : "from " + plain(least) + " to " + plain(most);
}

std::string read_text(const std::filesystem::path& file) {
  if (!std::filesystem::is_regular_file(file)) throw InputError(file.string() + ": no such configuration file");
  std::ifstream stream(file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  if (!stream) throw InputError(file.string() + ": cannot read it");
  return text;
}

/// The table of a text; in its place what is wrong with the text.
std::variant<toml::table, TomlFault> parse_text(const std::string& text, const std::string& source) {
  if (auto fault = find_toml_fault(text)) return std::move(*fault);
  try {
    return toml::parse(text, source);
  } catch (const toml::parse_error& error) {
    return TomlFault{error.source().begin.line, std::string(error.description())};
  }
}

toml::table parse_setting(const std::string& setting) {
  const auto equals = setting.find('=');
  const auto dot = setting.find('.');
  if (equals == std::string::npos || dot == std::string::npos || dot > equals)
    throw InputError("--set " + setting + ": wanted section.key=value");
  const std::string key = setting.substr(0, equals);
  const std::string value = setting.substr(equals + 1);
  auto parsed = parse_text(key + " = " + value, "--set " + setting);
  // A path or a word without quotes.
  if (parsed.index() == 1) parsed = parse_text(key + " = '" + value + "'", "--set " + setting);
  if (parsed.index() == 1) throw InputError("--set " + setting + ": " + std::get<1>(parsed).what);
  return std::get<0>(std::move(parsed));
}

/// Letters to put in, leave out or change in a word to make it a name, or the beginning of one.
std::size_t count_mistakes(const std::string& word, const std::string& name) {
  // distances[i]: between what has been looked at of the word and the first i letters of the name.
  std::vector<std::size_t> distances(name.size() + 1);
  std::iota(distances.begin(), distances.end(), std::size_t{0});
  for (const char letter : word) {
    std::size_t before = distances[0]++;
    for (std::size_t i = 1; i < distances.size(); ++i) {
      const std::size_t changed = before + (name[i - 1] == letter ? 0 : 1);
      before = distances[i];
      distances[i] = std::min({changed, before + 1, distances[i - 1] + 1});
    }
  }
  return *std::min_element(distances.begin(), distances.end());
}

}  // namespace

ConfigurationTable::ConfigurationTable(const std::filesystem::path& file, const std::vector<std::string>& settings)
    : file_(file.string()) {
  auto parsed = parse_text(read_text(file), file_);
  if (parsed.index() == 1) {
    const TomlFault& fault = std::get<1>(parsed);
    throw InputError(file_ + ":" + std::to_string(fault.line) + ": " + fault.what);
  }
  table_ = std::make_unique<toml::table>(std::get<0>(std::move(parsed)));
  for (const std::string& setting : settings) set(setting);
  for (const auto& [section, node] : *table_)
    if (!node.is_table()) fail(std::string(section.str()), "stands outside any [section]");
}

ConfigurationTable::~ConfigurationTable() = default;

bool ConfigurationTable::has(const std::string& key) const { return table_->at_path(key).node() != nullptr; }

bool ConfigurationTable::is_string(const std::string& key) const { return table_->at_path(key).is_string(); }

void ConfigurationTable::set(const std::string& setting) {
  toml::table parsed = parse_setting(setting);
  for (auto&& [section, node] : parsed) {
    if (!node.is_table()) throw InputError("--set " + setting + ": wanted section.key=value");
    toml::table* target = (*table_)[section].as_table();
    if (target == nullptr) target = table_->insert_or_assign(section, toml::table{}).first->second.as_table();
    // A node that is copied forgets where it stood.
    for (auto&& [key, value] : *node.as_table()) target->insert_or_assign(key, std::move(value));
  }
}

std::string ConfigurationTable::place(const std::string& key) const {
  const toml::node* node = table_->at_path(key).node();
  // A key that is missing is missing from its section, or from the table that would hold it.
  constexpr std::size_t none = std::string::npos;
  for (std::size_t end = key.rfind('.'); node == nullptr && end != none && end > 0; end = key.rfind('.', end - 1))
    node = table_->at_path(key.substr(0, end)).node();
  if (node == nullptr || !node->source().path) return file_;
  const std::string& path = *node->source().path;
  return path.rfind("--set ", 0) == 0 ? path : path + ":" + std::to_string(node->source().begin.line);
}

void ConfigurationTable::fail(const std::string& key, const std::string& message) const {
  throw InputError(place(key) + ": key '" + key + "' " + message);
}

const toml::node* ConfigurationTable::find(const std::string& key) {
  asked_.insert(key);
  return table_->at_path(key).node();
}

const toml::node* ConfigurationTable::find_required(const std::string& key) {
  const toml::node* node = find(key);
  if (node == nullptr && missing_.empty()) missing_ = key;
  return node;
}

bool ConfigurationTable::is_table(const std::string& key) {
  const toml::node* node = find(key);
  return node != nullptr && node->is_table();
}

bool ConfigurationTable::is_word(const std::string& key, const std::string& word) {
  const toml::node* node = find(key);
  return node != nullptr && node->is_string() && node->as_string()->get() == word;
}

/// A name of a file would end at a NUL.
std::string ConfigurationTable::text_of(const toml::node& string, const std::string& key) const {
  std::string value = string.as_string()->get();
  if (value.find('\0') != std::string::npos) fail(key, "has a NUL in it");
  return value;
}

std::string ConfigurationTable::text(const std::string& key) {
  if (find_required(key) == nullptr) return {};
  std::string value = text(key, "");
  if (value.empty()) fail(key, "is empty");
  return value;
}

std::string ConfigurationTable::text(const std::string& key, const std::string& otherwise) {
  const toml::node* node = find(key);
  if (node == nullptr) return otherwise;
  if (!node->is_string()) fail(key, "must be a string");
  return text_of(*node, key);
}

bool ConfigurationTable::boolean(const std::string& key, bool otherwise) {
  const toml::node* node = find(key);
  if (node == nullptr) return otherwise;
  if (!node->is_boolean()) fail(key, "must be true or false");
  return node->as_boolean()->get();
}

std::int64_t ConfigurationTable::integer(const std::string& key, std::int64_t least) {
  find_required(key);
  return integer(key, least, least);
}

std::int64_t ConfigurationTable::integer(const std::string& key, std::int64_t least, std::int64_t otherwise) {
  const toml::node* node = find(key);
  if (node == nullptr) return otherwise;
  if (!node->is_integer()) fail(key, "must be an integer, at least " + std::to_string(least));
  const std::int64_t value = node->as_integer()->get();
  if (value < least) fail(key, "is " + std::to_string(value) + "; allowed: at least " + std::to_string(least));
  return value;
}

double ConfigurationTable::number_of(const toml::node& node, const std::string& key, double least, double most) const {
  if (!node.is_number()) fail(key, "must be a number, " + range_text(least, most));
  const double value =
      node.is_integer() ? static_cast<double>(node.as_integer()->get()) : node.as_floating_point()->get();
  if (!std::isfinite(value) || value < least || value > most)
    fail(key, "is " + plain(value) + "; allowed: " + range_text(least, most));
  return value;
}

double ConfigurationTable::number(const std::string& key, double least, double most) {
  const toml::node* node = find_required(key);
  return node == nullptr ? least : number_of(*node, key, least, most);
}

double ConfigurationTable::number(const std::string& key, double least, double most, double otherwise) {
  return find(key) == nullptr ? otherwise : number(key, least, most);
}

std::vector<double> ConfigurationTable::numbers(const std::string& key, double least, double most,
                                                std::vector<double> otherwise) {
  const toml::node* node = find(key);
  if (node == nullptr) return otherwise;
  if (!node->is_array() || node->as_array()->size() != otherwise.size())
    fail(key, "must be a list of " + std::to_string(otherwise.size()) + " numbers");
  std::vector<double> values;
  for (const toml::node& entry : *node->as_array()) values.push_back(number_of(entry, key, least, most));
  return values;
}

std::vector<std::string> ConfigurationTable::texts(const std::string& key, std::vector<std::string> otherwise) {
  const toml::node* node = find(key);
  if (node == nullptr) return otherwise;
  if (!node->is_array()) fail(key, "must be a list of strings");
  std::vector<std::string> values;
  for (const toml::node& entry : *node->as_array()) {
    if (!entry.is_string()) fail(key, "must be a list of strings");
    values.push_back(text_of(entry, key));
  }
  return values;
}

std::pair<std::string, double> ConfigurationTable::weighted_path(const toml::node& node, const std::string& key,
                                                                 double least, double most) const {
  if (!node.is_table()) fail(key, "must be {path = \"...\", weight = ...}");
  const toml::table& entry = *node.as_table();
  for (const auto& [name, value] : entry)
    if (name != "path" && name != "weight")
      fail(key + "." + std::string(name.str()), "is unknown; allowed in '" + key + "': path, weight");
  for (const char* name : {"path", "weight"})
    if (!entry.contains(name)) fail(key, std::string("has no ") + name);
  const std::string path = entry["path"].value_or("");
  if (path.empty()) fail(key + ".path", "must be a string, not empty");
  return {path, number_of(*entry.get("weight"), key + ".weight", least, most)};
}

std::vector<std::pair<std::string, double>> ConfigurationTable::weighted_paths(const std::string& key, double least,
                                                                               double most) {
  const toml::node* node = find(key);
  if (node != nullptr && !node->is_string() && !node->is_array())
    fail(key, "must be a string or a list of {path, weight}");
  if (node == nullptr || node->is_string()) return {{text(key), 1.0}};
  if (node->as_array()->empty()) fail(key, "is empty");
  std::vector<std::pair<std::string, double>> files;
  for (const toml::node& entry : *node->as_array())
    files.push_back(weighted_path(entry, key + "[" + std::to_string(files.size()) + "]", least, most));
  return files;
}

void ConfigurationTable::check_keys() const {
  for (const auto& [section, node] : *table_) check_known(std::string(section.str()), *node.as_table());
  if (!missing_.empty()) fail(missing_, "is missing");
}

void ConfigurationTable::check_known(const std::string& section, const toml::table& table) const {
  for (const auto& [name, value] : table) {
    const std::string key = section + "." + std::string(name.str());
    if (asked_.count(key) == 0) fail_unknown(section, key);
    if (value.is_table()) check_known(key, *value.as_table());
  }
}

void ConfigurationTable::fail_unknown(const std::string& section, const std::string& key) const {
  const std::string word = key.substr(section.size() + 1);
  std::string known;
  std::string guess;
  std::size_t fewest = (word.size() + 1) / 2;  // with half of the letters wrong it is another word
  std::set<std::string> sections;
  for (const std::string& asked : asked_) {
    sections.insert(asked.substr(0, asked.find('.')));
    const bool inside = asked.rfind(section + ".", 0) == 0 && asked.find('.', section.size() + 1) == std::string::npos;
    if (!inside) continue;
    const std::string name = asked.substr(section.size() + 1);
    known += (known.empty() ? "" : ", ") + name;
    const std::size_t mistakes = count_mistakes(word, name);
    if (mistakes < fewest) guess = "; did you mean '" + name + "'?";
    fewest = std::min(fewest, mistakes);
  }
  if (!known.empty()) fail(key, "is unknown; allowed in [" + section + "]: " + known + guess);
  for (const std::string& other : sections) known += (known.empty() ? "[" : ", [") + other + "]";
  fail(key, "is in an unknown section; allowed: " + known);
}

std::string ConfigurationTable::to_text() const {
  std::ostringstream text;
  text << *table_;
  return text.str();
}

}  // namespace Sward
