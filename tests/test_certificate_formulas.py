"""Formulas of linear arithmetic in a certificate, and nothing else."""

from __future__ import annotations

import pytest

from timewait.checker.case_formulas import MAX_DEPTH, fault


class TestCases:
    """Formulas of linear arithmetic, and nothing else."""

    @pytest.mark.parametrize(
        "body",
        [
            "true",
            "(and (<= (- x0 x1) (* 2.0 MSL)) (not (< x0 0.0)))",
            "(or (= x0 x1) (>= (/ 1.0 3.0) x0))",
            "(let ((a!1 (- x0 x1))) (<= a!1 0.0))",
            "(let ((a!1 (<= x0 x1))) (and a!1 (or a!1 false)))",
            "(<= (+ x0 (* (- 1.0) x1)) (- 3.0))",
        ],
    )
    def test_cases(self, body: str) -> None:
        """As zones and Spacer write them."""
        assert fault(body, ("x0", "x1", "MSL")) == ""

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            ("", "not closed"),
            ("(and", "not closed"),
            ("true) (exit", "more than one"),
            ("true))(push)(assert (and false", "more than one"),
            ("x0", "not a formula"),
            ("x7", "neither a clock"),
            ("(exists ((a Int)) (> a 0))", "linear arithmetic"),
            ("(<= (* x0 x1) 1.0)", "product"),
            ("(<= (/ 1.0 x0) 1.0)", "division"),
            ('(= x0 "a")', "linear arithmetic"),
            ("(= x0 #b01)", "linear arithmetic"),
            ("(<= x0 1e9)", "linear arithmetic"),
            ("(<= x0 " + "9" * 99 + ")", "linear arithmetic"),
            ("(at0 x0)", "linear arithmetic"),
            ("(= (<= x0 x1) true)", "linear arithmetic"),
            ("(not " * (MAX_DEPTH + 2) + "true" + ")" * (MAX_DEPTH + 2), "parentheses"),
        ],
    )
    def test_others(self, body: str, said: str) -> None:
        """Each is refused with the reason."""
        assert said in fault(body, ("x0", "x1", "MSL"))

    def test_definitions_that_double(self) -> None:
        """Thirty lines may mean a thousand million symbols."""
        body = "(<= a!30 0.0)"
        for number in range(30, 0, -1):
            body = f"(let ((a!{number} (+ a!{number - 1} a!{number - 1}))) {body})"
        assert "symbols" in fault(f"(let ((a!0 x0)) {body})", ("x0",))
