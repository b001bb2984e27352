"""ProLIP Studio's engine: a few photos per class in, an honest comparison of zero-shot CLIP and ProLIP out."""

__version__ = "0.1.0"
