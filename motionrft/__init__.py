"""MotionRFT, reproducible: reward fine-tuning for text-to-motion generation as one DAG."""

__version__ = "0.1.0"
