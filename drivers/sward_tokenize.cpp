#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "Sward_BadDocuments.hpp"
#include "Sward_ByteSource.hpp"
#include "Sward_CommandLine.hpp"
#include "Sward_DocumentEncoder.hpp"
#include "Sward_DocumentReader.hpp"
#include "Sward_FileName.hpp"
#include "Sward_InputError.hpp"
#include "Sward_MapInOrder.hpp"
#include "Sward_Program.hpp"
#include "Sward_ProgressBar.hpp"
#include "Sward_TokenFileSplit.hpp"
#include "Sward_TokenFileWriter.hpp"
#include "Sward_Tokenizer.hpp"

namespace {

using Sward::DocumentDivision;
using Sward::DocumentForm;
using Sward::InputError;
using Sward::ProgressBar;

struct Options {
  std::vector<std::string> inputs;
  std::string tokenizer;
  std::uint32_t vocab_size = 0;
  std::string output;
  std::string evaluation;
  double evaluation_fraction = 0.01;
  std::string input_format = "auto";
  Sward::JsonFields fields;
  std::string split = "none";
  std::string separator;
  std::uint64_t max_bad = 0;
  std::size_t threads = std::max(1U, std::thread::hardware_concurrency());
  bool quiet = false;
  bool force = false;
};

void describe_inputs(CLI::App& app, Options& options) {
  app.add_option("INPUT", options.inputs,
                 "Files of text or JSON lines, tokenized in this order; '-' is standard input. gzip and zstd are "
                 "recognised by their first bytes")
      ->required();
  app.add_option("--input-format", options.input_format,
                 "text, jsonl (a JSON object a line), or auto: jsonl for names with .jsonl at the end or before .gz or "
                 ".zst, else text")
      ->capture_default_str()
      ->check(CLI::IsMember({"auto", "text", "jsonl"}));
  app.add_option("--text-field", options.fields.text, "JSON lines: field with the text of a document")
      ->capture_default_str();
  app.add_option("--prompt-field", options.fields.prompt,
                 "JSON lines: field with a prompt, whose tokens are no targets (/loss_mask)")
      ->capture_default_str();
  app.add_option("--response-field", options.fields.response,
                 "JSON lines: field with the response to a prompt; the end token follows it")
      ->capture_default_str();
  auto* split = app.add_option("--split-documents", options.split,
                               "Where documents of text end: with the file, at lines without text, or at every line")
                    ->capture_default_str()
                    ->check(CLI::IsMember({"none", "blank-lines", "line"}));
  app.add_option("--document-separator", options.separator, "Text that stands between the documents of a file")
      ->excludes(split);
  app.add_option("--max-bad", options.max_bad,
                 "Bad documents (not UTF-8, not JSON, wrong fields, tokens beyond the vocabulary, too long) to leave "
                 "out; one more is an error, and nothing is written. Empty documents are always left out")
      ->capture_default_str()
      ->check(CLI::Range(std::uint64_t{0}, std::uint64_t{1} << 62U));
}

void describe(CLI::App& app, Options& options) {
  app.description(
      "Turns text into a token file for sward-train and sward-evaluate. Each document is preceded by the tokenizer's\n"
      "begin-of-sequence token. Exit status: 0 finished, 2 bad input, 1 failed.");
  describe_inputs(app, options);
  app.add_option("--tokenizer", options.tokenizer,
                 "Path of a SentencePiece model, 'bytes' (256 bytes, begin, end), or 'none' for JSON lines with tokens "
                 "in 'input_ids' and, where some are no targets, 0 and 1 in 'loss_mask'; these are taken as they are")
      ->required();
  app.add_option("--vocab-size", options.vocab_size, "With --tokenizer none: all tokens are below it")
      ->check(CLI::Range(std::uint32_t{1}, std::uint32_t{0x7fffffff}));
  app.add_option("--output", options.output, "Token file to write")->required();
  auto* evaluation = app.add_option("--evaluation", options.evaluation,
                                    "Second token file, for a part of the documents chosen by a hash of their text");
  app.add_option("--evaluation-fraction", options.evaluation_fraction,
                 "Share of the documents that goes to --evaluation, between 0 and 1")
      ->capture_default_str()
      ->needs(evaluation);
  app.add_option("--threads", options.threads, "Threads that encode; the tokens do not depend on it")
      ->capture_default_str()
      ->check(CLI::Range(std::size_t{1}, std::size_t{1024}));
  app.add_flag("--quiet", options.quiet, "No progress line, which is shown only where standard error is a terminal");
  app.add_flag("--force", options.force, "Replace token files that exist");
}

void require_new_name(const std::string& output, const Options& options) {
  Sward::require_file_name(output);
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

void check_inputs(const Options& options) {
  for (const std::string& input : options.inputs) {
    if (input == "-") continue;
    if (!std::filesystem::exists(input)) throw InputError(fmt::format("{}: no such file", input));
    if (std::filesystem::is_directory(input)) throw InputError(fmt::format("{}: is a folder", input));
  }
  if (std::count(options.inputs.begin(), options.inputs.end(), "-") > 1) {
    throw InputError("-: standard input can be read only once");
  }
}

DocumentForm form_of(const std::string& input, const Options& options) {
  std::filesystem::path name = input;
  if (name.extension() == ".gz" || name.extension() == ".zst") name = name.stem();
  const bool is_json = options.input_format == "auto" ? name.extension() == ".jsonl" : options.input_format == "jsonl";
  if (!is_json) return DocumentForm::text;
  return options.tokenizer == "none" ? DocumentForm::json_tokens : DocumentForm::json_text;
}

void check_tokenizer(const Options& options) {
  const bool is_none = options.tokenizer == "none";
  if (is_none && options.vocab_size == 0) throw InputError("--tokenizer none: needs --vocab-size");
  if (!is_none && options.vocab_size != 0) throw InputError("--vocab-size: only with --tokenizer none");
  for (const std::string& input : options.inputs) {
    if (is_none && form_of(input, options) == DocumentForm::text) {
      throw InputError(fmt::format("{}: is text, and --tokenizer none takes JSON lines (--input-format)", input));
    }
  }
}

void check_options(const Options& options) {
  check_inputs(options);
  check_tokenizer(options);
  require_new_name(options.output, options);
  if (options.evaluation.empty()) return;
  require_new_name(options.evaluation, options);
  // Of a relative name of no file weakly_canonical makes no absolute one.
  const auto whole = [](const std::string& name) {
    return std::filesystem::weakly_canonical(std::filesystem::absolute(name));
  };
  if (whole(options.output) == whole(options.evaluation)) {
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

struct Batch {
  std::size_t input = 0;
  std::vector<Sward::DocumentPart> parts;
};

struct EncodedBatch {
  std::size_t input = 0;
  std::vector<Sward::EncodedPart> parts;
};

/// The documents of all inputs, in batches large enough for threads to hand on.
class BatchReader {
 public:
  BatchReader(const Options& options, const Sward::Tokenizer* tokenizer, ProgressBar& bar)
      : options_(options), tokenizer_(tokenizer), bar_(bar) {}

  std::optional<Batch> next() {
    constexpr std::size_t batch_bytes = 1 << 18;
    while (true) {
      if (!reader_) {
        if (input_ == options_.inputs.size()) return std::nullopt;
        open();
      }
      Batch batch{input_, {}};
      std::size_t bytes = 0;
      for (Sward::DocumentPart part; bytes < batch_bytes && reader_->next(part);) {
        bytes += part.text.size();
        batch.parts.push_back(std::move(part));
      }
      bar_.update(bytes_before_ + source_->position());
      if (!batch.parts.empty()) return batch;
      bytes_before_ += source_->position();
      reader_.reset();
      ++input_;
    }
  }

 private:
  void open() {
    const std::string& input = options_.inputs[input_];
    auto source = Sward::open_byte_source(input);
    source_ = source.get();
    if (form_of(input, options_) != DocumentForm::text) {
      reader_ = Sward::make_json_line_reader(std::move(source));
      return;
    }
    Sward::FindLastCut find_cut;
    if (tokenizer_->can_cut()) find_cut = [this](std::string_view text) { return tokenizer_->last_cut(text); };
    reader_ = Sward::make_text_reader(std::move(source), division_of(options_), options_.separator, find_cut);
  }

  const Options& options_;
  const Sward::Tokenizer* tokenizer_;
  ProgressBar& bar_;
  std::size_t input_ = 0;
  const Sward::ByteSource* source_ = nullptr;
  std::unique_ptr<Sward::DocumentReader> reader_;
  std::uint64_t bytes_before_ = 0;
};

/// Bytes of all inputs as they lie on disk; 0 where one is a pipe.
std::uint64_t input_bytes(const Options& options) {
  std::uint64_t bytes = 0;
  for (const std::string& input : options.inputs) {
    if (!std::filesystem::is_regular_file(input)) return 0;
    bytes += std::filesystem::file_size(input);
  }
  return bytes;
}

void tokenize_documents(const Options& options, const Sward::Tokenizer* tokenizer, std::uint32_t vocab_size,
                        Sward::TokenFileSplit& split, ProgressBar& bar) {
  BatchReader reader(options, tokenizer, bar);
  const auto make_encode = [&] {
    const auto encoder = std::make_shared<Sward::DocumentEncoder>(tokenizer, vocab_size, options.fields);
    return [&options, encoder](Batch&& batch) {
      const DocumentForm form = form_of(options.inputs[batch.input], options);
      EncodedBatch encoded{batch.input, {}};
      encoded.parts.reserve(batch.parts.size());
      for (const Sward::DocumentPart& part : batch.parts) encoded.parts.push_back(encoder->encode(part, form));
      return encoded;
    };
  };
  const auto write = [&](EncodedBatch&& batch) {
    const std::string& input = options.inputs[batch.input];
    for (const Sward::EncodedPart& part : batch.parts) split.take(part, input == "-" ? "standard input" : input);
  };
  Sward::map_in_order<Batch, EncodedBatch>(
      options.threads, [&] { return reader.next(); }, make_encode, write);
}

void require_documents(const Sward::TokenFileWriter& writer, const std::string& name) {
  if (writer.document_count() > 0) return;
  throw InputError(fmt::format("{}: no document of the inputs would go here", name));
}

void run(const Options& options) {
  check_options(options);
  std::unique_ptr<Sward::Tokenizer> tokenizer;
  if (options.tokenizer != "none") tokenizer = Sward::make_tokenizer(options.tokenizer);
  const std::uint32_t vocab_size = tokenizer ? tokenizer->vocab_size() : options.vocab_size;
  const std::string name = tokenizer ? tokenizer->name() : "none";
  const std::string model = tokenizer ? tokenizer->model() : "";
  const auto start = std::chrono::steady_clock::now();
  Sward::TokenFileWriter output(options.output, vocab_size, name, model);
  std::optional<Sward::TokenFileWriter> evaluation;
  if (!options.evaluation.empty()) evaluation.emplace(options.evaluation, vocab_size, name, model);

  ProgressBar bar(!options.quiet, input_bytes(options));
  Sward::BadDocuments bad_documents(options.max_bad, [&](const std::string& line) {
    bar.clear();
    std::fprintf(stderr, "sward-tokenize: %s\n", line.c_str());
  });
  Sward::TokenFileSplit split(output, evaluation ? &*evaluation : nullptr, options.evaluation_fraction, bad_documents);
  tokenize_documents(options, tokenizer.get(), vocab_size, split, bar);
  bar.clear();
  bad_documents.print_counts();
  require_documents(output, options.output);
  if (evaluation) require_documents(*evaluation, options.evaluation);
  // A disk that fills up leaves both files as they were.
  output.finish();
  if (evaluation) evaluation->finish();
  output.commit();
  if (evaluation) evaluation->commit();

  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const Sward::TokenFileSplit::Totals& totals = split.totals();
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
