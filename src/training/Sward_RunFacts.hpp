#pragma once

#include "Sward_Agreement.hpp"
#include "Sward_Configuration.hpp"
#include "Sward_Llama.hpp"

namespace Sward {

/// Every key of the configuration as it was read, with its value.
Facts configuration_facts(const Configuration& configuration);

/// Sizes of a token file and a fingerprint of samples of its tokens; `key` is the one that names the file. Throws
/// InputError as TokenFile does.
Facts token_file_facts(const std::string& key, const TokenFile& file);

/// A fingerprint of the first elements of a weight, by its number. Waits for `space`.
template <class ExecutionSpace, class Scalar>
Fact weight_fact(const ExecutionSpace& space, const Llama<ExecutionSpace, Scalar>& model, std::size_t parameter);

}  // namespace Sward
