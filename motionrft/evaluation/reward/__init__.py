"""What is measured about a reward: its scores in each dimension, faithfulness, the report of both."""
