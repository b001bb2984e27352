"""How far a command is, on stderr: one bar per stage."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from prolip_core import types as records

STAGE_TITLES = {
    "load": "Loading the model",
    "lambda": "Choosing λ",
    "import": "Checking photos",
    "features": "Reading photos with the backbone",
    "fit": "Fine-tuning the projector",
    "cross_validation": "Cross-validating",
    "sure": "Choosing how sure it must be",
    "sample": "Rendering the sample",
    "study": "Training and measuring",
    "hand_over": "Making the hand-over file, in hundredths",
    "score": "Answering photos",
    "export": "Saving the project",
}


class ProgressBars:
    """One bar per stage on stderr, drawn by rich; nothing is drawn where stderr is no terminal."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> ProgressBars:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def show(self, progress: records.Progress) -> None:
        notes = []
        if progress.per_second:
            notes.append(f"{progress.per_second:.0f} photos/s")
        if progress.left_s is not None and progress.done < progress.total:
            notes.append(f"{progress.left_s:.0f} s left")
        self._draw(progress.stage, progress.done, progress.total, ", ".join(notes))

    def show_counted(self, progress: records.Progress) -> None:
        """As `show`, for work that tells of itself also where nothing is counted, so that it can be stopped."""
        if progress.total:
            self.show(progress)

    def show_step(self, step: records.Step) -> None:
        note = f"loss {step.loss:.4f}, training photos right {step.support_accuracy:.0%}"
        self._draw("fit", step.step, step.total_steps, note)

    def _draw(self, stage: str, done: int, total: int, note: str) -> None:
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(STAGE_TITLES[stage], total=total, note="")
        self._bars.update(self._tasks[stage], completed=done, total=total, note=note)
