"""Tests that take several seconds each are left to ``pytest -m long``, so that a default run stays short."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from timewait.checker.made_once import kept_for

LONG = {
    "test_agreement.py": ("test_draws_are_of_every_kind", "test_four_ways_agree"),
    "test_agreement_table.py": ("test_all_agree", "test_for_programs"),
    "test_assumptions.py": ("test_the_least_safe_time_wait",),
    "test_certificates.py": ("test_every_single_bound_is_needed", "test_horn_clauses_prove_it_too"),
    "test_command.py": ("test_every_engine", "test_least"),
    "test_conformance.py": ("test_a_setting_explains_what_it_changes", "test_most_settings_are_visible"),
    "test_difference.py": ("test_every_stack_can_be_described",),
    "test_export.py": ("test_tla_has_the_same_states",),
    "test_export_spin.py": ("test_spin_agrees",),
    "test_fairness.py": ("test_on_the_letter_of_the_standard",),
    "test_formats_command.py": ("test_prove",),
    "test_liveness_certificates.py": ("test_closes", "test_the_literal_reading_is_not_quiet", "test_of_another_system"),
    "test_lossless.py": ("test_brute_force_agrees",),
    "test_memory.py": ("test_spoiled", "test_pieces_with_a_gap"),
    "test_mutation.py": ("test_a_sample_is_killed_or_explained",),
    "test_oracle.py": ("test_twins_change_nothing", "test_both_close", "test_time_never_stops_for_good"),
    "test_next_steps.py": ("test_the_run_is_part_of_the_graph", "test_every_step", "test_no_step_is_missing"),
    "test_page_browser.py": (
        *("test_two_thousand_steps", "test_accessibility", "test_a_checked_configuration_fits_a_phone"),
        *("test_several_violations", "test_what_else_could_happen"),
    ),
    "test_projection.py": ("test_are_legal",),
    "test_refinement.py": ("test_the_search_goes_on_to_a_run_that_can_be_carried_out",),
    "test_relaxation.py": ("test_every_step_is_followed",),
    "test_risk.py": ("test_exact_and_sampled_agree", "test_no_risk_from_the_proved_threshold_on"),
    "test_sequence.py": ("test_short_and_long_runs",),
    "test_tikz.py": ("test_a_run_is_complete",),
    "test_soundness.py": ("test_another_question", "test_no_certificate_leaves_the_verdict", "test_the_first_line_names_it"),
    "test_wheel.py": ("",),
}
"""By file, the tests that are long; an empty name stands for all tests of the file."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Mark the long tests; of a test with parameters the first one stays in a default run."""
    seen: set[tuple[str, str]] = set()
    for item in items:
        name = getattr(item, "originalname", item.name)
        if (names := LONG.get(item.path.name)) is None or not any(name.startswith(one) for one in names):
            continue
        first = hasattr(item, "callspec") and (str(item.path), name) not in seen
        seen.add((str(item.path), name))
        if not first:
            item.add_marker(pytest.mark.long)


@pytest.fixture(autouse=True)
def nothing_is_made_yet() -> Iterator[None]:
    """Each test makes its automata itself: one that a test spoils must not serve the next."""
    kept_for.cache_clear()
    yield
    kept_for.cache_clear()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Sum up the random draws that tests counted."""
    reports = [report for some in terminalreporter.stats.values() for report in some if getattr(report, "when", "") == "call"]
    counts = [counted for report in reports for name, counted in report.user_properties if name == "draws"]
    if counts:
        decided, undecided, disagreements = map(sum, zip(*counts, strict=True))
        line = f"{decided:,} draws decided in four ways, {undecided:,} not decided, {disagreements} disagreements"
        terminalreporter.write_line(line)
