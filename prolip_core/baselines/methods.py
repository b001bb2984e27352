"""The one list of methods: key, plain name, function, source. Tables, screens and the command line go by it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from prolip_core.baselines import adapters, closed_form, last_block, linear, projector_methods, prompt_tuning
from prolip_core.baselines.problem import Fitted, OnStep, Problem
from prolip_core.errors import ConfigError
from prolip_core.i18n import N_
from prolip_core.types import Note

Fit = Callable[[Problem, OnStep | None], Fitted]
Needs = Literal["photos", "text_side", "context", "tokens"]

REFERENCE = "prolip_auto"
"""The method that all others are set against: what the app trains by default."""


@dataclass(frozen=True)
class Method:
    """A method under its plain name. source: paper, as authors, year, arXiv number; empty for this project's own.

    needs: "photos" (with the class vectors that every problem has), or a part of one of the towers besides. learns: False where
    the photos to learn from change nothing.
    """

    key: str
    title: str
    fit: Fit
    source: str
    needs: Needs = "photos"
    learns: bool = True

    def why_not(self, problem: Problem) -> Note | None:
        """What the method needs and the problem does not hold; None where it can run."""
        if self.needs == "photos" or getattr(problem, self.needs) is not None:
            return None
        if self.needs == "tokens":
            return Note("It needs a graphics card (CUDA), and a model whose photo part is a vision transformer.")
        return Note("This model does not let its text part be trained, which the method needs.")


_CLIP = "Radford et al. 2021, arXiv 2103.00020"
_TIP = "Zhang et al. 2022, arXiv 2207.09519"
_CLAP = "Silva-Rodríguez et al. 2024, arXiv 2312.12730"
_PROLIP = "Fahes et al. 2024, arXiv 2410.05270"

METHODS: tuple[Method, ...] = (
    Method("zero_shot", N_("Zero-shot"), closed_form.zero_shot, _CLIP, learns=False),
    Method(
        "nearest_class_mean",
        N_("Nearest class mean"),
        closed_form.nearest_class_mean,
        "Snell et al. 2017, arXiv 1703.05175",
    ),
    Method("linear_probe", N_("Linear probe after the projector"), linear.linear_probe, _CLIP),
    Method("linear_probe_pre", N_("Linear probe before the projector"), linear.linear_probe_pre, _CLIP),
    Method("zs_lp", "ZS-LP", linear.zs_lp, _CLAP),
    Method("clap", "CLAP", linear.clap, _CLAP),
    Method("lp_plus_plus", "LP++", linear.lp_plus_plus, "Huang et al. 2024, arXiv 2404.02285"),
    Method("tip_adapter", "Tip-Adapter", closed_form.tip_adapter, _TIP),
    Method("tip_adapter_f", "Tip-Adapter-F", adapters.tip_adapter_f, _TIP),
    Method("clip_adapter", "CLIP-Adapter", adapters.clip_adapter, "Gao et al. 2021, arXiv 2110.04544"),
    Method("task_res", "TaskRes", linear.task_res, "Yu et al. 2023, arXiv 2211.10277"),
    Method("gda", "GDA-CLIP", closed_form.gda, "Wang et al. 2024, arXiv 2402.04087"),
    Method("ss_text", "SS-Text+", closed_form.ss_text, "Silva-Rodríguez et al. 2025, arXiv 2506.17500"),
    Method("proker", "ProKeR", closed_form.proker, "Bendou et al. 2025, arXiv 2501.11175"),
    Method("coop", "CoOp", prompt_tuning.coop, "Zhou et al. 2022, arXiv 2109.01134", "context"),
    Method(
        "last_block",
        N_("Last-block fine-tuning"),
        last_block.last_block,
        "Wortsman et al. 2022, arXiv 2109.01903",
        "tokens",
    ),
    Method("linear_adapter", N_("Regularised linear adapter"), projector_methods.linear_adapter, _PROLIP),
    Method("prolip_text", N_("ProLIP on the text projector"), projector_methods.prolip_text, _PROLIP, "text_side"),
    Method("prolip_tip_adapter_f", "ProLIP + Tip-Adapter-F", projector_methods.prolip_tip_adapter_f, _PROLIP),
    Method("prolip_task_res", "ProLIP + TaskRes", projector_methods.prolip_task_res, _PROLIP),
    Method("prolip_one_over_n", "ProLIP, λ = 1/N", projector_methods.prolip_one_over_n, _PROLIP),
    Method("prolip_one_over_n2", "ProLIP, λ = 1/N²", projector_methods.prolip_one_over_n_squared, _PROLIP),
    Method(REFERENCE, N_("ProLIP, λ chosen from the photos"), projector_methods.prolip_auto, _PROLIP),
)


def by_keys(keys: Iterable[str]) -> tuple[Method, ...]:
    """The methods of these keys, in the order of METHODS. Raises ConfigError for a key that is none."""
    wanted = set(keys)
    known = [method.key for method in METHODS]
    for key in sorted(wanted):
        if key not in known:
            raise ConfigError(
                "There is no method “{name}”.", remedy="Choose one of: {known}.", name=key, known=", ".join(known)
            )
    return tuple(method for method in METHODS if method.key in wanted)


def need_tokens(keys: Iterable[str] | None) -> bool:
    """Whether one of these methods (None: of all) reads tokens. Raises ConfigError for a key that is none."""
    return any(method.needs == "tokens" for method in (METHODS if keys is None else by_keys(keys)))
