"""What every training shares: loop, learning rates, averages, checkpoints, and processes that train as one."""
