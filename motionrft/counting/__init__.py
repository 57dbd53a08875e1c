"""What code costs, counted on the meta device: tensors with shapes and no values, on a machine without a GPU."""
