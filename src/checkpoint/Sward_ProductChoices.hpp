#pragma once

#include "Sward_CheckpointFile.hpp"

namespace Sward {

/// Whether this process may measure which algorithm each kind of matrix product is fastest with, on devices where that
/// is done. If not, each has the one that the library proposes first, which is the same in every run.
void set_product_measuring(bool measures);

/// Writes `/products` and `/products_float8` of a checkpoint: the algorithm of each kind of matrix product, on
/// devices where there are several. Nothing on hosts.
void write_product_choices(Hdf5File& file);

/// Takes the algorithms of a checkpoint for this process, so that sums are added in the same order; a checkpoint of
/// another device or another version of the library has none that hold here.
void restore_product_choices(const CheckpointFile& checkpoint);

}  // namespace Sward
