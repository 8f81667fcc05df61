"""A browser is found, or named, or installed, or its absence is said in words."""

import subprocess

import pytest

from press import browser
from press.layout import Fault


@pytest.fixture
def bare_machine(monkeypatch, tmp_path):
    """A machine with nothing but a folder for programs."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setattr(browser, "PLACES", ())
    return tmp_path


def program(folder, name, code=0):
    """A program that ends at once."""
    path = folder / name
    path.write_text(f"#!/bin/sh\nexit {code}\n")
    path.chmod(0o755)
    return str(path)


def test_an_installed_browser_is_found(bare_machine):
    path = program(bare_machine, "google-chrome")
    assert browser.executable() == path


def test_a_browser_that_does_not_start_is_passed_over(bare_machine):
    program(bare_machine, "chromium", code=1)
    path = program(bare_machine, "google-chrome")
    assert browser.executable() == path


def test_playwrights_own_browser_serves_as_well(bare_machine):
    own = program(bare_machine, "some-chrome")
    assert browser.executable(own) == own


def test_the_one_that_is_named_wins(bare_machine, monkeypatch):
    program(bare_machine, "chromium")
    named = program(bare_machine, "mine")
    monkeypatch.setenv("CHROMIUM", named)
    assert browser.executable() == named


def test_a_name_that_leads_nowhere_is_a_fault(bare_machine, monkeypatch):
    program(bare_machine, "chromium")
    monkeypatch.setenv("CHROMIUM", "/nowhere/chrome")
    with pytest.raises(Fault, match="CHROMIUM=/nowhere/chrome"):
        browser.executable()


def test_root_installs_debians_package(bare_machine, monkeypatch):
    apt = program(bare_machine, "apt-get")
    asked = []

    def run(command, **options):
        if command[0] == apt and "chromium" in command:
            program(bare_machine, "chromium")
        asked.append(command[:2])
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(browser.subprocess, "run", run)
    monkeypatch.setattr(browser.os, "geteuid", lambda: 0, raising=False)
    assert browser.executable() == str(bare_machine / "chromium")
    assert [apt, "install"] in asked


def test_without_rights_and_network_the_absence_is_said(bare_machine, monkeypatch):
    def run(command, **options):
        return subprocess.CompletedProcess(command, 1, "", "no route to the host")

    monkeypatch.setattr(browser.subprocess, "run", run)
    monkeypatch.setattr(browser.os, "geteuid", lambda: 1000, raising=False)
    with pytest.raises(Fault, match="no route to the host.*CHROMIUM="):
        browser.executable()
