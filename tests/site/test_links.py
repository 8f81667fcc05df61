"""Every link of every page leads somewhere, and equations and code know each other."""

import pytest

from tests.site import links, pages

every_page = pytest.mark.parametrize("at", pages.linked())


@every_page
def test_every_link_leads_to_a_file_and_an_anchor(site, at):
    assert links.dead(site / at, site) == []


@every_page
def test_equations_and_code_lead_to_each_other(site, at):
    assert links.unpaired(site / at) == []


def test_no_style_loads_from_another_host(site):
    styles = {style.name: links.elsewhere(style) for style in site.rglob("*.css")}
    assert {name: found for name, found in styles.items() if found} == {}
