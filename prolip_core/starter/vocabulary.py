"""The words that the starter's text tower learns from: WordNet nouns, ImageNet class names, tokens of the tokenizer.

Build time only. Sources: the ImageNet-21k name tables that timm carries (`timm/data/_info`) and the WordNet 3.0 noun files
(Debian package `wordnet-base`, folder /usr/share/wordnet; the format is described in the manual page wndb(5WN)).
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ARTIFACT_FILES = frozenset({6, 13})
"""WordNet lexicographer files of things that are made and of food: the senses that a product photo shows."""

CONCRETE_FILES = frozenset({5, 6, 13, 17, 19, 20, 27})
"""Animals, artifacts, food, natural objects, phenomena, plants, substances."""

_ADJECTIVES = """
red blue green yellow black white grey brown orange pink purple silver golden transparent shiny matte dark
bright metal metallic steel wooden plastic rubber glass leather cotton woollen paper ceramic stone silk denim
copper aluminium brass concrete broken cracked scratched dented bent rusty dirty stained torn worn frayed
chipped burnt wet dry old new damaged defective flawless perfect clean rotten ripe fresh frozen cooked sliced
large small tiny big long short round square flat thick thin narrow wide heavy empty full open closed folded
rolled striped checked dotted patterned plain printed painted rough smooth curved straight hollow threaded
electric electronic automatic portable industrial medical kitchen garden sports baby men's women's
long-sleeved short-sleeved sleeveless
"""
ADJECTIVES = tuple(_ADJECTIVES.split())

_PARTS = """
scratch dent crack hole stain label handle button zipper collar lid cap screw logo chip rust spot bubble burn
"""
PARTS = tuple(_PARTS.split())

_TEMPLATES = """
{}
a {}
the {}
a {}.
some {}
a photo of a {}.
a photo of a {}
a photo of the {}.
a photo of {}.
a picture of a {}
an image of a {}.
a close-up photo of a {}.
a close-up of a {}
a product photo of a {}.
a product photo of a {} on a plain background
a product photo of a {} on a white background.
a bright photo of a {}.
a dark photo of the {}.
a blurry photo of a {}.
a bad photo of a {}.
a good photo of the {}.
a cropped photo of a {}.
a low resolution photo of a {}.
a black and white photo of a {}.
a photo of a small {}.
a photo of a large {}.
a photo of one {}.
a photo of my {}.
a photo of a clean {}.
itap of a {}.
a photo of a {} on a table.
a photo of a {} in a factory.
a photo of a {} on a conveyor belt.
a photo of a {}, a kind of product.
a photo of a {}, a type of clothing.
an inspection photo of a {}.
a macro photo of a {}.
a studio photo of a {}.
"""
TEMPLATES = tuple(_TEMPLATES.strip().splitlines())
"""Sentences around a name. The target of a name does not depend on the sentence."""


_EVERYDAY = """
longsleeve = long-sleeved T-shirt
long-sleeve = long-sleeved T-shirt
longsleeves = long-sleeved T-shirt
long sleeve shirt = long-sleeved T-shirt
outwear = outerwear, coat, jacket
outerwear = coat, jacket, overgarment
shorts = short trousers, swimming trunks
boardshorts = swimming trunks
bermudas = short trousers
leggings = tights, trousers
joggers = sweat pants, trousers
sweatpants = sweat pants, trousers
chinos = trousers
hoodie = sweatshirt
hoody = sweatshirt
fleece jacket = sweatshirt, jacket
crewneck = sweatshirt
tank top = undershirt, jersey
crop top = undershirt, jersey
polo = polo shirt, jersey
tee = jersey
top = blouse, jersey
button-down = dress shirt
blazer = suit, jacket
puffer jacket = parka
windbreaker = anorak, jacket
rain jacket = raincoat
sundress = dress
maxi dress = gown
onesie = pajama
beanie = knit cap, hat
bucket hat = hat
trainers = running shoe
sneakers = running shoe
flip-flops = sandal
slides = sandal
heels = high-heeled shoe
stilettos = high-heeled shoe
ankle boots = boot
footwear = shoe, boot, sandal
crossbody bag = shoulder bag
tote bag = shopping bag
clutch bag = purse
smartphone = cellular telephone
cellphone = cellular telephone
tablet computer = hand-held computer
earbuds = earphone
headset = headphone
webcam = camera
power bank = battery
charger = battery charger
flash drive = memory device
thumb drive = memory device
touchscreen = screen
game controller = joystick
smartwatch = digital watch
e-scooter = scooter
e-bike = bicycle
pickup truck = pickup
suv = jeep
forklift truck = forklift
sippy cup = cup
travel mug = coffee mug
pet bottle = water bottle
beer can = can
tin can = can
cardboard box = carton
shipping box = carton
bubble wrap = packing material
air fryer = deep-fat fryer
rice cooker = cooker
stand mixer = mixer
kettle = teakettle
cutting board = board
oven mitt = mitten
trash can = ashcan
rubbish bin = ashcan
wheelie bin = ashcan
vacuum = vacuum cleaner
hoover = vacuum cleaner
sofa bed = studio couch
nightstand = bedside table
office chair = swivel chair
led bulb = light bulb
multitool = jackknife
allen key = hex wrench, wrench
hex key = hex wrench, wrench
utility knife = knife
box cutter = knife
zip tie = fastener
wall plug = fastener
o-ring = gasket
ball bearing = bearing
roller bearing = bearing
circuit board = printed circuit
pcb = printed circuit
heat sink = radiator
jumper cable = cable
hard hat = crash helmet
safety goggles = goggles
face mask = mask
hand sanitizer = lotion
gummy bears = candy
veggie burger = hamburger
sub sandwich = sandwich
energy bar = candy bar
plushie = teddy
plush toy = teddy
"""
EVERYDAY = {
    name: tuple(others.split(", ")) for name, others in (line.split(" = ") for line in _EVERYDAY.strip().splitlines())
}
"""What people call things in shops and works where WordNet lacks the word or thinks of something else first, and the names
that say the same."""


@dataclass(frozen=True)
class Nouns:
    """WordNet's noun graph. Keys are ids such as "n03595614" (the letter and the offset in WordNet 3.0)."""

    parents: dict[str, tuple[str, ...]]
    topic: dict[str, int]
    senses: dict[str, tuple[str, ...]]

    def ancestors(self, synset: str) -> frozenset[str]:
        """The synset itself and everything above it."""
        found: set[str] = set()
        todo = [synset]
        while todo:
            current = todo.pop()
            if current not in found:
                found.add(current)
                todo.extend(self.parents[current])
        return frozenset(found)


def read_nouns(folder: Path) -> Nouns:
    """Read `data.noun` and `index.noun`. Raises OSError where a file is missing."""
    parents: dict[str, tuple[str, ...]] = {}
    topic: dict[str, int] = {}
    for line in _lines(folder / "data.noun"):
        fields = line.split("|", 1)[0].split()
        synset = "n" + fields[0]
        topic[synset] = int(fields[1])
        first = 4 + 2 * int(fields[3], 16)
        pointers = [fields[first + 1 + 4 * i :][:2] for i in range(int(fields[first]))]
        parents[synset] = tuple("n" + target for kind, target in pointers if kind in ("@", "@i"))
    senses = {}
    for line in _lines(folder / "index.noun"):
        fields = line.split()
        senses[fields[0].replace("_", " ")] = tuple("n" + offset for offset in fields[-int(fields[2]) :])
    return Nouns(parents, topic, senses)


def _lines(path: Path) -> Iterable[str]:
    # The licence text at the head of each file is indented.
    return (line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith(" "))


@dataclass(frozen=True)
class Names:
    """ImageNet names: `classes` are the 1000 classes in the order of the classifier, the tables cover ImageNet-21k."""

    classes: tuple[str, ...]
    lemmas: dict[str, tuple[str, ...]]
    definitions: dict[str, str]

    def sentence(self, synset: str) -> str:
        """The text that describes a synset best: "name: definition"."""
        return f"{self.lemmas[synset][0]}: {self.definitions[synset]}"


def read_names() -> Names:
    """Read the name tables that timm carries."""
    import timm

    folder = Path(timm.__file__).parent / "data" / "_info"

    def table(name: str) -> dict[str, str]:
        rows = (line.split("\t") for line in (folder / name).read_text(encoding="utf-8").splitlines())
        return {row[0]: row[1] for row in rows}

    lemmas = {key: tuple(value.split(", ")) for key, value in table("imagenet_synset_to_lemma.txt").items()}
    classes = tuple((folder / "imagenet_synsets.txt").read_text(encoding="utf-8").split())
    return Names(classes, lemmas, table("imagenet_synset_to_definition.txt"))


def plural(noun: str) -> str:
    """The regular English plural; good enough for training text."""
    if noun.endswith(("s", "x", "z", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def compose_phrases(names: Names, nouns: Nouns, count: int, seed: int) -> list[tuple[str, str, str]]:
    """Random noun phrases ("a cracked steel bolt" and the like) as (synset, noun, phrase)."""
    rng = random.Random(seed)  # noqa: S311 - training text, nothing secret
    pool = [s for s in sorted(names.lemmas) if nouns.topic.get(s) in CONCRETE_FILES]
    made = [s for s in pool if nouns.topic[s] in ARTIFACT_FILES]
    phrases = []
    for _ in range(count):
        synset = rng.choice(names.classes) if rng.random() < 0.3 else rng.choice(made if rng.random() < 0.8 else pool)
        noun, kind = rng.choice(names.lemmas[synset]), rng.random()
        if kind < 0.65:
            phrase = f"{rng.choice(ADJECTIVES)} {noun}"
        elif kind < 0.8:
            phrase = f"{rng.choice(ADJECTIVES)} {rng.choice(ADJECTIVES)} {noun}"
        elif rng.random() < 0.7:
            phrase = f"{noun} with a {rng.choice(PARTS)}"
        else:
            phrase = f"{noun} without {rng.choice(PARTS)}s"
        phrases.append((synset, noun, phrase))
    return phrases
