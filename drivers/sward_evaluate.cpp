#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "Sward_CommandLine.hpp"
#include "Sward_Evaluation.hpp"
#include "Sward_Format.hpp"
#include "Sward_Generation.hpp"
#include "Sward_InputError.hpp"
#include "Sward_MpiCommunicator.hpp"
#include "Sward_Program.hpp"
#include "Sward_Tokenizer.hpp"
#include "Sward_TrainingState.hpp"

namespace {

using Space = Kokkos::DefaultExecutionSpace;

struct Arguments {
  std::string checkpoint;
  std::vector<std::string> data;
  std::int64_t sequence_length = 0;
  std::int64_t sequences = 8;
  bool document_attention = false;
  bool sample = false;
  std::string prompt;
  std::string tokenizer;
  Sward::SamplingOptions sampling;
};

void describe(CLI::App& app, Arguments& arguments) {
  constexpr int largest = 1'000'000'000;
  app.add_option("--checkpoint", arguments.checkpoint, "a checkpoint or a Hugging Face folder")->required();
  app.add_option("--data", arguments.data, "token files; every whole sequence of each counts")->required();
  app.add_option("--sequence-length", arguments.sequence_length, "tokens a sequence")
      ->required()
      ->check(CLI::Range(1, largest));
  app.add_option("--sequences", arguments.sequences, "sequences a pass on one rank")
      ->check(CLI::Range(1, largest))
      ->capture_default_str();
  app.add_flag("--document-attention", arguments.document_attention,
               "no attention across documents, as data.attention = \"document\" trains");
  auto* sample = app.add_flag("--sample", arguments.sample, "print a text that the model makes up");
  app.add_option("--prompt", arguments.prompt, "what the text begins with")->needs(sample);
  app.add_option("--sample-tokens", arguments.sampling.tokens, "its length in tokens")
      ->needs(sample)
      ->check(CLI::Range(1, largest))
      ->capture_default_str();
  app.add_option("--temperature", arguments.sampling.temperature, "0 takes the likeliest token each time")
      ->needs(sample)
      ->check(CLI::Range(0.0, 1e6))
      ->check([](const std::string& text) { return std::string(std::isnan(std::stod(text)) ? "is no number" : ""); },
              "")
      ->capture_default_str();
  app.add_option("--top-k", arguments.sampling.top_k, "draw from the likeliest so many tokens; 0: from all")
      ->needs(sample)
      ->check(CLI::Range(0, largest))
      ->capture_default_str();
  app.add_option("--seed", arguments.sampling.seed, "of the sample")
      ->needs(sample)
      ->check(CLI::Range(std::int64_t{0}, std::numeric_limits<std::int64_t>::max()))
      ->capture_default_str();
  app.add_option("--tokenizer", arguments.tokenizer,
                 "'bytes' or a SentencePiece model; default: what the (first) token file was made with, or else the "
                 "tokenizer.model beside the weights")
      ->needs(sample);
  app.footer(
      "Prints 'validation_loss X validation_perplexity Y'; with several files a line for each, its path before that.\n"
      "Targets whose /loss_mask is 0 do not count. Exit status: 0 finished, 2 bad input, 1 failed.");
}

std::unique_ptr<Sward::Tokenizer> tokenizer_for(const Arguments& arguments, const Sward::TokenFile& data) {
  if (!arguments.tokenizer.empty()) return Sward::make_tokenizer(arguments.tokenizer);
  if (auto tokenizer = Sward::make_tokenizer(data)) return tokenizer;
  const std::string model = Sward::read_initial_tokenizer_model(arguments.checkpoint);
  if (model.empty())
    throw Sward::InputError(data.path().string() + ": carries no tokenizer for a sample, and " + arguments.checkpoint +
                            " no tokenizer.model; name one with --tokenizer");
  return Sward::make_sentencepiece_tokenizer(model, arguments.checkpoint + ": tokenizer.model");
}

Sward::Arena<Space> hold(std::size_t bytes, const Sward::BatchShape& batch) {
  try {
    return Sward::Arena<Space>::holding(bytes);
  } catch (const std::exception&) {
    throw Sward::InputError(
        fmt::format("--sequences {}, --sequence-length {}: model and pass take {}, more than can be allocated",
                    batch.sequences, batch.length, Sward::bytes_text(bytes)));
  }
}

Sward::Llama<Space, float> load_model(const Space& space, Sward::Arena<Space>& arena, const Arguments& arguments,
                                      const Sward::LlamaShape& shape, const Sward::BatchShape& batch) {
  Sward::Arena<Space> measured = Sward::Arena<Space>::measuring();
  const Sward::Llama<Space, float> plan(measured, shape, batch, Sward::Recompute::none);
  arena = hold(measured.bytes(), batch);
  Sward::Llama<Space, float> model(arena, shape, batch, Sward::Recompute::none);
  model.initialize(space);
  Sward::load_initial_weights(space, arguments.checkpoint, model);
  return model;
}

void print_sample(const Space& space, const Arguments& arguments, const Sward::LlamaShape& shape,
                  const Sward::Tokenizer& tokenizer) {
  Sward::Arena<Space> arena = Sward::Arena<Space>::measuring();
  const Sward::BatchShape batch{1, static_cast<std::size_t>(arguments.sequence_length), false};
  Sward::Llama<Space, float> model = load_model(space, arena, arguments, shape, batch);
  std::vector<std::uint32_t> tokens{tokenizer.begin_token()};
  for (const std::uint32_t token : tokenizer.encode(arguments.prompt)) tokens.push_back(token);
  Sward::SamplingOptions sampling = arguments.sampling;
  sampling.vocab_size = tokenizer.vocab_size();
  Sward::generate(space, model, tokenizer.end_token(), sampling, tokens);
  fmt::print("sample:\n{}\n", tokenizer.decode(tokens));
}

/// Opens every file and checks it, so that nothing is printed before all are known to be good.
std::vector<Sward::TokenFile> open_data(const Arguments& arguments, const Sward::LlamaShape& shape) {
  std::vector<Sward::TokenFile> files;
  for (const std::string& path : arguments.data) {
    const Sward::TokenFile& file = files.emplace_back(path);
    Sward::check_tokens(file, 0, file.token_count(), static_cast<std::uint32_t>(shape.vocab_size));
    Sward::require_evaluable(file, static_cast<std::uint64_t>(arguments.sequence_length));
    if (arguments.document_attention) file.document_starts();
  }
  return files;
}

void require_countable_pass(const Arguments& arguments) {
  constexpr std::int64_t most_tokens = std::numeric_limits<int>::max();
  if (arguments.sequences > most_tokens / arguments.sequence_length)
    throw Sward::InputError(
        fmt::format("--sequences {}: times --sequence-length {} is more than {}, the most tokens of one pass",
                    arguments.sequences, arguments.sequence_length, most_tokens));
}

/// No larger than the longest file fills.
Sward::BatchShape batch_for(const Arguments& arguments, const std::vector<Sward::TokenFile>& files) {
  const auto length = static_cast<std::uint64_t>(arguments.sequence_length);
  std::uint64_t longest = 0;
  for (const Sward::TokenFile& file : files) longest = std::max(longest, file.sequence_count(length));
  return {std::min(static_cast<std::uint64_t>(arguments.sequences), longest), length, false};
}

void print_losses(const Space& space, const Arguments& arguments, const Sward::LlamaShape& shape,
                  const std::vector<Sward::TokenFile>& files,
                  const Sward::Communicator<Sward::MpiSpace>& communicator) {
  Sward::Arena<Space> arena = Sward::Arena<Space>::measuring();
  Sward::Llama<Space, float> model = load_model(space, arena, arguments, shape, batch_for(arguments, files));
  for (const Sward::TokenFile& file : files) {
    const double loss = Sward::evaluate(space, model, file, arguments.document_attention, communicator);
    if (communicator.rank() != 0) continue;
    if (files.size() > 1) fmt::print("{} ", file.path().string());
    fmt::print("validation_loss {:.10f} validation_perplexity {:.10f}\n", loss, std::exp(loss));
  }
}

int run(const Arguments& arguments) {
  require_countable_pass(arguments);
  const Space space;
  const Sward::Communicator<Sward::MpiSpace> communicator(MPI_COMM_WORLD);
  const Sward::LlamaShape shape = Sward::read_initial_shape(arguments.checkpoint);
  const std::vector<Sward::TokenFile> files = open_data(arguments, shape);
  std::unique_ptr<Sward::Tokenizer> tokenizer;
  if (arguments.sample) {
    tokenizer = tokenizer_for(arguments, files.front());
    if (tokenizer->vocab_size() > shape.vocab_size)
      throw Sward::InputError(fmt::format("{}: the tokenizer has {} tokens, the model {}", arguments.data.front(),
                                          tokenizer->vocab_size(), shape.vocab_size));
  }
  print_losses(space, arguments, shape, files, communicator);
  if (tokenizer != nullptr && communicator.rank() == 0) print_sample(space, arguments, shape, *tokenizer);
  return Sward::ExitStatus::finished;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Measures a model's loss on a token file, and lets it write a text.", "sward-evaluate");
  Arguments arguments;
  describe(app, arguments);
  const Sward::CommandLine command_line(app, argc, argv);
  if (command_line.shows_help()) return Sward::ExitStatus::finished;
  return Sward::run_parallel_program("sward-evaluate", argc, argv, [&] {
    command_line.require_valid();
    return run(arguments);
  });
}
