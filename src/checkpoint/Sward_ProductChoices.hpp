#pragma once

#include "Sward_CheckpointFile.hpp"

namespace Sward {

/// Writes `/products` and `/products_float8` of a checkpoint: which algorithm each kind of matrix product was measured
/// to be fastest with, on devices where that is measured. Nothing on hosts.
void write_product_choices(Hdf5File& file);

/// Takes the algorithms of a checkpoint for this process, so that sums are added in the same order; a checkpoint of
/// another device or another version of the library has none that hold here.
void restore_product_choices(const CheckpointFile& checkpoint);

}  // namespace Sward
