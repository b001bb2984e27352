"""The starter backbone: a small CLIP that this project carries, for places where no model hub is in reach.

An ordinary open_clip model config (`model.json`) plus weights; README.md in this folder is its model card.
"""

from prolip_core.starter.weights import FINGERPRINT, fingerprint, model_config, state_dict

__all__ = ["FINGERPRINT", "fingerprint", "model_config", "state_dict"]
