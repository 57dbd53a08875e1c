"""Fine-tuning a text-to-motion generator by a reward, and sampling under it: methods, loop, cost, analyses."""
