"""Templates × names → the very sentences that are read."""

from __future__ import annotations

import pytest

from prolip_core import prompts
from prolip_core.errors import PromptError
from prolip_core.types import ClassSpec

BOLT = ClassSpec("ボルト", ("bolt", "metal bolt"))
NUT = ClassSpec("ナット", ("nut",))


def test_every_name_goes_into_every_template_in_class_order() -> None:
    built = prompts.build([BOLT, NUT], ["a photo of a {}.", "a {} on a table"])
    assert built.class_names == ("ボルト", "ナット")
    assert built.sentences == (
        ("a photo of a bolt.", "a bolt on a table", "a photo of a metal bolt.", "a metal bolt on a table"),
        ("a photo of a nut.", "a nut on a table"),
    )


def test_all_built_in_sets_are_valid_and_have_plain_names() -> None:
    assert [s.key for s in prompts.TEMPLATE_SETS] == [
        "general",
        "product",
        "surface",
        "satellite",
        "document",
        "ensemble",
    ]
    assert len(prompts.template_set("ensemble").templates) == 7
    for chosen in prompts.TEMPLATE_SETS:
        assert chosen.title and chosen.description
        assert [prompts.check_template(template) for template in chosen.templates] == list(chosen.templates)


@pytest.mark.parametrize(
    "template",
    [
        "a photo",
        "{} and {}",
        "a {name}",
        "a {0}",
        "a {",
        "a }",
        "a {!r:>{}}",
        "{:d}",
        "{.real}",
        "{!x}",
        "a {{}}",
        "{:300000000}",
        "{!r}",
    ],
)
def test_a_template_without_exactly_one_place_is_refused(template: str) -> None:
    with pytest.raises(PromptError, match="exactly once") as caught:
        prompts.check_template(template)
    assert "a photo of a {}." in str(caught.value)


def test_empty_and_endless_templates_are_refused() -> None:
    with pytest.raises(PromptError, match="empty"):
        prompts.check_template("  ")
    with pytest.raises(PromptError, match="the limit is 300"):
        prompts.check_template("a {} " + "very " * 100)


def test_white_space_is_tidied() -> None:
    assert prompts.check_template("  a   photo\nof a {}. ") == "a photo of a {}."


@pytest.mark.parametrize("name", ["a {} b", "{0}", "100 % 木製 {", "<b>x</b>", "../x"])
def test_a_class_name_is_data_not_a_template(name: str) -> None:
    built = prompts.build([prompts.make_class(name), NUT], ["a photo of a {}."])
    assert built.sentences[0] == (f"a photo of a {name}.",)


def test_the_folder_name_is_read_when_no_prompt_name_is_given() -> None:
    assert prompts.make_class("steel_bolt") == ClassSpec("steel_bolt", ("steel bolt",))
    assert prompts.make_class("t-shirt").prompt_names == ("t-shirt",)
    assert prompts.make_class("_").prompt_names == ("_",)
    assert prompts.make_class("ボルト", [" bolt ", "", "bolt", "screw"]).prompt_names == ("bolt", "screw")


def test_unusable_names_and_lists_are_refused() -> None:
    with pytest.raises(PromptError, match="no name"):
        prompts.make_class(" ")
    with pytest.raises(PromptError, match="10000 characters, the limit is 200"):
        prompts.make_class("x" * 10_000)
    with pytest.raises(PromptError, match="at least 2"):
        prompts.build([BOLT], ["{}"])
    with pytest.raises(PromptError, match="“ボルト” is used twice"):
        prompts.build([BOLT, BOLT], ["{}"])
    with pytest.raises(PromptError, match="no sentence template"):
        prompts.build([BOLT, NUT], [])
    with pytest.raises(PromptError, match="general, product"):
        prompts.template_set("nonsense")


def test_japanese_names_are_not_english() -> None:
    assert prompts.is_english("t-shirt (white)")
    assert not prompts.is_english("ボルト")


def test_two_classes_with_the_same_words_are_refused() -> None:
    """Their sentences would be the same, and so would every answer about them."""
    with pytest.raises(PromptError, match=r"“a” and “b” have the same prompt name"):
        prompts.build([ClassSpec("a", ("bolt", "screw")), NUT, ClassSpec("b", ("screw", "bolt"))], ["{}"])
    prompts.build([ClassSpec("a", ("bolt", "screw")), ClassSpec("b", ("bolt",))], ["{}"])
