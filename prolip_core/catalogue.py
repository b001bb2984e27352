"""The backbones that the product describes: plain data, no model code.

Sizes are those of the weights files on their hub, rounded; accuracies are deliberately absent, since a backbone's worth on a
user's photos is what a pilot measures.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from prolip_core.errors import UnknownBackboneError
from prolip_core.i18n import N_

STARTER = "starter"
CHECKPOINT_SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")


@dataclass(frozen=True)
class BackboneSpec:
    """Which model with which weights.

    architecture: open_clip's model name; tag: open_clip's pretrained tag, or checkpoint: a local weights file. The starter has
    neither. `speed` is one of fast / medium / slow (on a CPU); `language` is what class names may be written in.
    """

    name: str
    architecture: str
    tag: str = ""
    checkpoint: Path | None = None
    title: str = ""
    description: str = ""
    download_mb: int = 0
    speed: str = "medium"
    language: str = N_("English")
    licence: str = N_("Not known; ask the publisher of the weights before commercial use.")
    commercial_use: bool = True


_MIT_OPENAI = N_(
    "MIT, which allows commercial use. The publisher's model card is written for research and asks for testing on your own "
    "task before any deployment."
)
_MIT_LAION = N_(
    "MIT, which allows commercial use. The publisher's model card calls it a research output and asks for testing on your own "
    "task before any deployment."
)
_APPLE = N_(
    "Apple Machine Learning Research Model licence: research only. It forbids commercial use, pilots in a company included."
)

CATALOGUE: tuple[BackboneSpec, ...] = (
    BackboneSpec(
        STARTER,
        "starter",
        title=N_("Starter (built in)"),
        description=N_("Small, needs no download. For first tries and demos; a real CLIP recognises more."),
        speed="fast",
        licence=N_("Apache-2.0, see its model card. Commercial use is allowed."),
    ),
    BackboneSpec(
        "openai-vit-b-32",
        "ViT-B-32-quickgelu",
        "openai",
        title=N_("OpenAI CLIP ViT-B/32"),
        description=N_("The classic CLIP. A good first step up from the starter."),
        download_mb=605,
        licence=_MIT_OPENAI,
    ),
    BackboneSpec(
        "openai-vit-b-16",
        "ViT-B-16-quickgelu",
        "openai",
        title=N_("OpenAI CLIP ViT-B/16"),
        description=N_("Sees finer detail than B/32 and takes about four times as long."),
        download_mb=599,
        speed="slow",
        licence=_MIT_OPENAI,
    ),
    BackboneSpec(
        "openai-vit-l-14",
        "ViT-L-14-quickgelu",
        "openai",
        title=N_("OpenAI CLIP ViT-L/14"),
        description=N_("Large; best with a GPU."),
        download_mb=1710,
        speed="slow",
        licence=_MIT_OPENAI,
    ),
    BackboneSpec(
        "openai-rn50",
        "RN50-quickgelu",
        "openai",
        title=N_("OpenAI CLIP ResNet-50"),
        description=N_("The model of the ProLIP paper's main tables."),
        download_mb=409,
        licence=_MIT_OPENAI,
    ),
    BackboneSpec(
        "laion-vit-b-32",
        "ViT-B-32",
        "laion2b_s34b_b79k",
        title=N_("LAION CLIP ViT-B/32"),
        description=N_("Trained on two billion public pictures; about as fast as OpenAI's B/32."),
        download_mb=605,
        licence=_MIT_LAION,
    ),
    BackboneSpec(
        "datacomp-vit-b-16",
        "ViT-B-16",
        "datacomp_xl_s13b_b90k",
        title=N_("DataComp CLIP ViT-B/16"),
        description=N_("Trained on filtered public pictures; strong for its size."),
        download_mb=599,
        speed="slow",
        licence=_MIT_LAION,
    ),
    BackboneSpec(
        "datacomp-vit-l-14",
        "ViT-L-14",
        "datacomp_xl_s13b_b90k",
        title=N_("DataComp CLIP ViT-L/14"),
        description=N_("Large and strong; best with a GPU."),
        download_mb=1710,
        speed="slow",
        licence=_MIT_LAION,
    ),
    BackboneSpec(
        "mobileclip2-s0",
        "MobileCLIP2-S0",
        "dfndr2b",
        title=N_("Apple MobileCLIP2 S0"),
        description=N_("Made for phones: small and very fast."),
        download_mb=300,
        speed="fast",
        licence=_APPLE,
        commercial_use=False,
    ),
    BackboneSpec(
        "mobileclip2-s2",
        "MobileCLIP2-S2",
        "dfndr2b",
        title=N_("Apple MobileCLIP2 S2"),
        description=N_("Made for phones: fast, more accurate than S0."),
        download_mb=400,
        speed="fast",
        licence=_APPLE,
        commercial_use=False,
    ),
    BackboneSpec(
        "siglip2-vit-b-16",
        "ViT-B-16-SigLIP2",
        "webli",
        title=N_("Google SigLIP 2 ViT-B/16"),
        description=N_(
            "Reads many languages. It has no projector, so a linear adapter of the same paper is trained instead."
        ),
        download_mb=1500,
        speed="slow",
        language=N_("Many languages, Japanese included"),
        licence=N_("Apache-2.0. Commercial use is allowed."),
    ),
    BackboneSpec(
        "multilingual-vit-b-32",
        "xlm-roberta-base-ViT-B-32",
        "laion5b_s13b_b90k",
        title=N_("Multilingual CLIP (XLM-R, ViT-B/32)"),
        description=N_("Class names may be written in Japanese."),
        download_mb=1460,
        language=N_("Many languages, Japanese included"),
        licence=_MIT_LAION,
    ),
)


def parse(text: str) -> BackboneSpec:
    """The backbone that a user named: a catalogue name, `ARCHITECTURE:TAG`, or `ARCHITECTURE:FILE` (a local checkpoint).

    Raises UnknownBackboneError for a name that is neither; whether architecture and tag exist is checked at loading.
    """
    for spec in CATALOGUE:
        if spec.name == text:
            return spec
    architecture, colon, source = text.partition(":")
    if not (colon and architecture and source):
        raise UnknownBackboneError(
            "There is no backbone “{name}”.",
            remedy="Choose one of {known}; or write ARCHITECTURE:TAG or ARCHITECTURE:FILE with a model of open_clip.",
            name=text,
            known=", ".join(spec.name for spec in CATALOGUE),
        )
    if source.lower().endswith(CHECKPOINT_SUFFIXES):
        return BackboneSpec(text, architecture, checkpoint=Path(source), title=text)
    for spec in CATALOGUE:
        if (spec.architecture, spec.tag) == (architecture, source):
            return spec
    return BackboneSpec(text, architecture, source, title=text)
