"""Bodies and their representations: skeletons, features and back, realism; metres, Y up."""
