#include "Sward_JsonDocument.hpp"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

namespace Sward {
namespace {

using nlohmann::json;

json parse_object(std::string_view line) {
  try {
    json object = json::parse(line);
    if (!object.is_object()) throw BadDocument(DocumentFault::wrong_field, "this line is no JSON object");
    return object;
  } catch (const json::parse_error& error) {
    throw BadDocument(DocumentFault::invalid_json, fmt::format("not JSON at byte {} of the line", error.byte));
  } catch (const json::out_of_range&) {
    throw BadDocument(DocumentFault::invalid_json, "has a number that no double holds");
  }
}

[[noreturn]] void reject(const std::string& field, const std::string& reason) {
  throw BadDocument(DocumentFault::wrong_field, fmt::format("field '{}' {}", field, reason));
}

std::string take_text(json& object, const std::string& field) {
  const auto found = object.find(field);
  if (found == object.end()) reject(field, "is missing");
  if (!found->is_string()) reject(field, "is no text");
  return std::move(found->get_ref<std::string&>());
}

const json& array_field(const json& object, const char* field) {
  const auto found = object.find(field);
  if (found == object.end()) reject(field, "is missing");
  if (!found->is_array()) reject(field, "is no array");
  return *found;
}

std::uint32_t token_of(const json& value, std::size_t index, std::uint32_t vocab_size) {
  if (!value.is_number_integer()) reject("input_ids", fmt::format("has no integer at index {}", index));
  if (value.is_number_unsigned() && value.get<std::uint64_t>() < vocab_size) return value.get<std::uint32_t>();
  throw BadDocument(
      DocumentFault::token_out_of_range,
      fmt::format("token {} at index {} is not below the vocabulary size {}", value.dump(), index, vocab_size));
}

std::uint8_t mask_of(const json& value, std::size_t index) {
  if (value.is_boolean()) return value.get<bool>() ? 1 : 0;
  if (value.is_number_unsigned() && value.get<std::uint64_t>() <= 1) return value.get<std::uint8_t>();
  reject("loss_mask", fmt::format("is neither 0 nor 1 at index {}", index));
}

}  // namespace

JsonText read_json_text(std::string_view line, const JsonFields& fields) {
  json object = parse_object(line);
  const bool has_text = object.contains(fields.text);
  const bool has_prompt = object.contains(fields.prompt) || object.contains(fields.response);
  if (has_text && has_prompt) {
    reject(fields.text, fmt::format("stands beside '{}' or '{}'", fields.prompt, fields.response));
  }
  if (!has_text && !has_prompt) {
    reject(fields.text, fmt::format("is missing, and '{}' with '{}' too", fields.prompt, fields.response));
  }
  JsonText document;
  document.has_prompt = has_prompt;
  if (has_prompt) document.prompt = take_text(object, fields.prompt);
  document.text = take_text(object, has_prompt ? fields.response : fields.text);
  return document;
}

JsonTokens read_json_tokens(std::string_view line, std::uint32_t vocab_size) {
  const json object = parse_object(line);
  const json& values = array_field(object, "input_ids");
  JsonTokens document;
  document.tokens.reserve(values.size());
  for (const json& value : values) document.tokens.push_back(token_of(value, document.tokens.size(), vocab_size));
  if (!object.contains("loss_mask")) return document;
  const json& mask = array_field(object, "loss_mask");
  if (mask.size() != values.size()) {
    reject("loss_mask", fmt::format("has {} values beside {} tokens", mask.size(), values.size()));
  }
  document.mask.reserve(mask.size());
  for (const json& value : mask) document.mask.push_back(mask_of(value, document.mask.size()));
  return document;
}

}  // namespace Sward
