#include <fmt/core.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "Sward_CommandLine.hpp"
#include "Sward_DocumentReader.hpp"
#include "Sward_HashDocument.hpp"
#include "Sward_InputError.hpp"
#include "Sward_Program.hpp"
#include "Sward_TokenFileWriter.hpp"
#include "Sward_Tokenizer.hpp"

namespace {

using Sward::DocumentDivision;
using Sward::InputError;

struct Options {
  std::vector<std::string> inputs;
  std::string tokenizer;
  std::string output;
  std::string evaluation;
  double evaluation_fraction = 0.01;
  std::string split = "none";
  std::string separator;
  bool force = false;
};

struct Totals {
  std::uint64_t bytes = 0;
  std::uint64_t documents = 0;
  std::uint64_t tokens = 0;
};

void describe(CLI::App& app, Options& options) {
  app.description(
      "Turns text files into a token file for sward-train and sward-evaluate. Each document is preceded by the\n"
      "tokenizer's begin-of-sequence token. Exit status: 0 finished, 2 bad input, 1 failed.");
  app.add_option("INPUT", options.inputs, "Text files, tokenized in this order")->required();
  app.add_option("--tokenizer", options.tokenizer, "Path of a SentencePiece model, or 'bytes' (256 bytes, begin, end)")
      ->required();
  app.add_option("--output", options.output, "Token file to write")->required();
  auto* evaluation = app.add_option("--evaluation", options.evaluation,
                                    "Second token file, for a part of the documents chosen by a hash of their text");
  app.add_option("--evaluation-fraction", options.evaluation_fraction,
                 "Share of the documents that goes to --evaluation, between 0 and 1")
      ->capture_default_str()
      ->needs(evaluation);
  auto* split =
      app.add_option("--split-documents", options.split,
                     "Where documents end: with the file, at lines without text, or at every line. Long documents cost "
                     "SentencePiece much time and memory (10 MB of text: 1 GB), so divide large files")
          ->capture_default_str()
          ->check(CLI::IsMember({"none", "blank-lines", "line"}));
  app.add_option("--document-separator", options.separator, "Text that stands between the documents of a file")
      ->excludes(split);
  app.add_flag("--force", options.force, "Replace token files that exist");
}

void require_new_name(const std::string& output, const Options& options) {
  if (std::filesystem::exists(output) && !options.force) {
    throw InputError(fmt::format("{}: exists already; --force replaces it", output));
  }
  if (std::filesystem::is_directory(output)) throw InputError(fmt::format("{}: is a folder", output));
  const std::filesystem::path folder = std::filesystem::path(output).parent_path();
  if (!folder.empty() && !std::filesystem::is_directory(folder)) {
    throw InputError(fmt::format("{}: there is no folder {}", output, folder.string()));
  }
  for (const std::string& input : options.inputs) {
    std::error_code ignored;
    if (std::filesystem::equivalent(input, output, ignored)) {
      throw InputError(fmt::format("{}: is an input and an output", output));
    }
  }
}

/// Compressed files and JSON lines would otherwise become tokens of their bytes.
void require_plain_text(const std::string& input) {
  std::ifstream stream(input, std::ios::binary);
  std::string start(4, '\0');
  stream.read(start.data(), 4);
  const bool is_gzip = start.starts_with("\x1f\x8b");
  const bool is_zstd = start == "\x28\xb5\x2f\xfd";
  if (is_gzip || is_zstd) throw InputError(fmt::format("{}: is compressed; decompress it first", input));
  if (input.ends_with(".jsonl")) throw InputError(fmt::format("{}: JSON lines are not read yet, only text", input));
}

void check_options(const Options& options) {
  for (const std::string& input : options.inputs) {
    if (!std::filesystem::exists(input)) throw InputError(fmt::format("{}: no such file", input));
    if (std::filesystem::is_directory(input)) throw InputError(fmt::format("{}: is a folder", input));
    require_plain_text(input);
  }
  require_new_name(options.output, options);
  if (options.evaluation.empty()) return;
  require_new_name(options.evaluation, options);
  if (std::filesystem::weakly_canonical(options.output) == std::filesystem::weakly_canonical(options.evaluation)) {
    throw InputError(fmt::format("{}: --output and --evaluation are the same file", options.output));
  }
  if (!(options.evaluation_fraction > 0 && options.evaluation_fraction < 1)) {
    throw InputError(fmt::format("--evaluation-fraction: {} is not between 0 and 1", options.evaluation_fraction));
  }
}

DocumentDivision division_of(const Options& options) {
  if (!options.separator.empty()) return DocumentDivision::separator;
  if (options.split == "blank-lines") return DocumentDivision::blank_lines;
  return options.split == "line" ? DocumentDivision::line : DocumentDivision::none;
}

bool belongs_to_evaluation(const std::string& document, const Options& options) {
  const double place = static_cast<double>(Sward::hash_document(document) >> 11) * 0x1p-53;
  return !options.evaluation.empty() && place < options.evaluation_fraction;
}

void tokenize_documents(const Options& options, const Sward::Tokenizer& tokenizer, Sward::TokenFileWriter& output,
                        std::optional<Sward::TokenFileWriter>& evaluation, Totals& totals) {
  std::string document;
  for (const std::string& input : options.inputs) {
    const auto reader = Sward::make_text_reader(input, division_of(options), options.separator);
    while (reader->next(document)) {
      std::vector<std::uint32_t> tokens = tokenizer.encode(document);
      tokens.insert(tokens.begin(), tokenizer.begin_token());
      (belongs_to_evaluation(document, options) ? *evaluation : output).append(tokens);
      totals.bytes += document.size();
      totals.documents += 1;
      totals.tokens += tokens.size();
    }
  }
}

void require_documents(const Sward::TokenFileWriter& writer, const std::string& name) {
  if (writer.document_count() > 0) return;
  throw InputError(fmt::format("{}: no document of the inputs would go here", name));
}

void run(const Options& options) {
  check_options(options);
  const std::unique_ptr<Sward::Tokenizer> tokenizer = Sward::make_tokenizer(options.tokenizer);
  const auto start = std::chrono::steady_clock::now();
  Sward::TokenFileWriter output(options.output, tokenizer->vocab_size(), tokenizer->name(), tokenizer->model());
  std::optional<Sward::TokenFileWriter> evaluation;
  if (!options.evaluation.empty()) {
    evaluation.emplace(options.evaluation, tokenizer->vocab_size(), tokenizer->name(), tokenizer->model());
  }
  Totals totals;
  tokenize_documents(options, *tokenizer, output, evaluation, totals);
  require_documents(output, options.output);
  if (evaluation) require_documents(*evaluation, options.evaluation);
  output.commit();
  if (evaluation) evaluation->commit();

  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  fmt::print("documents {} tokens {} bytes {} tokens_per_second {:.4g} wrote {} ({} tokens)", totals.documents,
             totals.tokens, totals.bytes, static_cast<double>(totals.tokens) / seconds, options.output,
             output.token_count());
  if (evaluation) fmt::print(", {} ({} tokens)", options.evaluation, evaluation->token_count());
  fmt::print("\n");
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app;
  app.name("sward-tokenize");
  Options options;
  describe(app, options);
  const Sward::CommandLine command_line(app, argc, argv);
  if (command_line.shows_help()) return Sward::ExitStatus::finished;
  return Sward::run_program("sward-tokenize", [&] {
    command_line.require_valid();
    if (app.count("--document-separator") > 0 && options.separator.empty())
      throw InputError("--document-separator: is empty");
    run(options);
    return Sward::ExitStatus::finished;
  });
}
