"""Every error that a person can meet, in one tree.

A message says what is wrong, with the value and the limit; the remedy says what to do next. Both are kept as templates with
their values apart, so that a screen can show them in another language.

ProLIPError
├── ConfigError                 a setting is out of its range
├── ImageError                  one photo cannot be used; names the file
│   ├── EmptyImageError             no bytes at all
│   ├── NotAnImageError             the content is no picture, whatever the name says
│   ├── UnsupportedFormatError      a picture, but of a format that is not on the list
│   ├── BrokenImageError            a picture that is cut short or damaged
│   ├── ImageTooLargeError          more bytes than the limit
│   ├── TooManyPixelsError          more pixels than the limit, or a decompression bomb
│   ├── ImageTooSmallError          too few pixels to show anything
│   └── UnreadableFileError         the system will not give the bytes (rights, a folder, gone)
├── ArchiveError                a zip file cannot be used
├── ProjectFileError            a project cannot be saved as a file, or such a file cannot be opened
├── DatasetError                a folder of photos, a class list, a split or a table of tags cannot be used
├── PromptError                 a template or a class name cannot be used
├── BackboneError
│   ├── UnknownBackboneError        no such name
│   ├── WeightsNotFoundError        the name is known, its weights are out of reach
│   ├── CheckpointError             a weights file that is unsafe, damaged or of another model
│   └── ProjectorNotFoundError      the model has no place that this method can train
├── DeviceError                 the asked device is not there
├── FitError                    training cannot start, or went wrong
│   ├── NonFiniteLossError          the loss became infinite or not a number
│   └── Cancelled                   a person stopped it
├── RunError                    a finished run cannot be opened
│   └── ProjectorMismatchError      a saved projector belongs to another backbone, class list or prompt set
├── HandOverError               a hand-over file cannot be made, opened or served
└── StorageError                the data folder cannot be used
"""

from __future__ import annotations

import traceback
from typing import Self


class ProLIPError(Exception):
    """Base of all errors that are told to a person.

    `message` and `remedy` are `str.format` templates in English; `values` fills both. `str(error)` is the English text.
    """

    def __init__(self, message: str, *, remedy: str = "", **values: object) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.values = values

    @property
    def reason_text(self) -> str:
        return self.message.format(**self.values)

    @property
    def remedy_text(self) -> str:
        return self.remedy.format(**self.values)

    def __str__(self) -> str:
        return f"{self.reason_text} {self.remedy_text}".strip()

    def without_history(self) -> Self:
        """The error alone, for keeping: a traceback holds the frames it went through, and these the bytes of a file."""
        link: BaseException | None = self
        while link is not None:
            # Emptied and not only dropped: a frame and the error caught in it hold each other until the next collection.
            traceback.clear_frames(link.__traceback__)
            link = link.__cause__ or link.__context__
        self.__cause__ = self.__context__ = None
        return self.with_traceback(None)


class ConfigError(ProLIPError):
    """A setting is out of its range."""


class ImageError(ProLIPError):
    """One photo cannot be used. `filename` is the name that the user gave it."""

    def __init__(self, message: str, *, filename: str, remedy: str = "", **values: object) -> None:
        super().__init__(message, remedy=remedy, filename=filename, **values)
        self.filename = filename


class EmptyImageError(ImageError):
    """No bytes at all."""


class NotAnImageError(ImageError):
    """The content is no picture, whatever the name says."""


class UnsupportedFormatError(ImageError):
    """A picture, but of a format that is not on the list."""


class BrokenImageError(ImageError):
    """A picture that is cut short or damaged."""


class ImageTooLargeError(ImageError):
    """More bytes than the limit."""


class TooManyPixelsError(ImageError):
    """More pixels than the limit, or a decompression bomb."""


class ImageTooSmallError(ImageError):
    """Too few pixels to show anything."""


class UnreadableFileError(ImageError):
    """The system will not give the bytes."""


class ArchiveError(ProLIPError):
    """A zip file cannot be used."""


class ProjectFileError(ProLIPError):
    """A project cannot be saved as a file, or such a file cannot be opened."""


class DatasetError(ProLIPError):
    """A folder of photos, a class list, a split or a table of tags cannot be used."""


class PromptError(ProLIPError):
    """A template or a class name cannot be used."""


class BackboneError(ProLIPError):
    """A backbone cannot be used."""


class UnknownBackboneError(BackboneError):
    """No backbone of that name."""


class WeightsNotFoundError(BackboneError):
    """The backbone is known, its weights are out of reach."""


class CheckpointError(BackboneError):
    """A weights file that is unsafe, damaged or of another model."""


class ProjectorNotFoundError(BackboneError):
    """The model has no place that this method can train."""


class DeviceError(ProLIPError):
    """The asked device is not there."""


class FitError(ProLIPError):
    """Training cannot start, or went wrong."""


class NonFiniteLossError(FitError):
    """The loss became infinite or not a number."""


class Cancelled(FitError):
    """A person stopped it."""


class RunError(ProLIPError):
    """A finished run cannot be opened."""


class ProjectorMismatchError(RunError):
    """A saved projector belongs to another backbone, class list or prompt set."""


class HandOverError(ProLIPError):
    """A hand-over file cannot be made, opened or served."""


class StorageError(ProLIPError):
    """The data folder cannot be used."""
