"""Fine-tuning a text-to-motion generator by the gradient of a differentiable reward: methods, loop, cost, analyses."""
