import importlib
import pkgutil

import pytest

from etude import data
from etude.data.card import Card

WORLDS = [
    name for _, name, _ in pkgutil.iter_modules(data.__path__) if name not in ("card", "canvas")
]


def card(name):
    return importlib.import_module(f"etude.data.{name}").CARD


@pytest.mark.parametrize("name", WORLDS)
def test_every_world_says_what_it_is(name):
    assert isinstance(card(name), Card)


@pytest.mark.parametrize("name", WORLDS)
def test_a_card_reads_as_a_list_of_all_its_fields(name):
    text = str(card(name))
    for heading in ("Source", "License", "Rows", "Fields", "Made by", "Cautions"):
        assert f"\n- {heading}:" in text
    assert all(f"`{field}`" in text for field in card(name).fields)
    assert text == card(name)._repr_markdown_()


def test_a_card_with_a_gap_is_refused():
    with pytest.raises(ValueError, match="nothing is said of license, cautions"):
        Card(
            name="x", source="x", license="", rows="x", fields={"x": "x"}, made_by="x", cautions=()
        )
