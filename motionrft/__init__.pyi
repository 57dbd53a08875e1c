"""The library's names with their types; `__init__.py` loads each when it is first asked for."""

from motionrft.backbones.base import Condition as Condition
from motionrft.backbones.io import load_backbone as load_backbone
from motionrft.configuration import resolve as resolve
from motionrft.corpus.dataset import MotionDataset as MotionDataset
from motionrft.corpus.store import FeatureStore as FeatureStore
from motionrft.diffusion.sampler import Sampler as Sampler
from motionrft.diffusion.sampler import SeededNoise as SeededNoise
from motionrft.diffusion.schedules import step_table as step_table
from motionrft.errors import InputError as InputError
from motionrft.finetune.from_python import finetune as finetune
from motionrft.inference.model import load_model as load_model
from motionrft.inference.motion import Motion as Motion
from motionrft.inference.motion import read_motion as read_motion
from motionrft.inference.reward import load_reward as load_reward
from motionrft.reward.motion_reward import MotionReward as MotionReward
from motionrft.text.features import TextCache as TextCache

__version__: str
__all__: list[str]
