"""The pages that answer operators' questions: all are there, answer first, show evidence, and contain the error texts."""

from __future__ import annotations

import re
import socket
import sys
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from site_pages import DOCS, blocks

from timewait.laboratory import probe
from timewait.laboratory.connects import bring_up_loopback
from timewait.laboratory.isolation import isolated
from timewait.laboratory.namespaces import Namespace
from timewait.proofs.claims import CLAIMS

FOLDER = DOCS / "questions"

QUESTIONS = {
    "cannot-assign-requested-address": (
        "cannot assign requested address",
        "can't assign requested address",
        "EADDRNOTAVAIL",
        "dial tcp",
        "java.net.NoRouteToHostException",
        "[Errno 99]",
        "connect() failed (99:",
        "no free ports",
        "ephemeral port exhaustion",
        "reduce TIME_WAIT",
        "ip_local_port_range",
        "docker",
        "ran out of ephemeral ports",
    ),
    "which-side-closes-first": ("which side should close first", "reduce TIME_WAIT on a proxy"),
    "tcp-fin-timeout": ("net.ipv4.tcp_fin_timeout", "reduce TIME_WAIT to 10 seconds"),
    "tcp-tw-recycle": ("cannot stat /proc/sys/net/ipv4/tcp_tw_recycle", "behind a NAT", "because of time stamp"),
    "tcp-tw-reuse": ("net.ipv4.tcp_tw_reuse", "RFC 6191"),
    "syn-meets-time-wait": ("TCP Port numbers reused", "connection timed out", "old ACK", "long stall"),
    "conntrack": ("disagree on TIME_WAIT", "nf_conntrack_tcp_timeout_time_wait", "nf_conntrack: table full"),
    "cloud-nat": ("ErrorPortAllocation", "350 s", "port exhaustion", "NAT gateway"),
    "address-already-in-use": (
        "address already in use",
        "EADDRINUSE",
        "java.net.BindException",
        "[Errno 98]",
        "bind() to 0.0.0.0:80 failed (98:",
        "cannot bind socket",
    ),
    "so-linger-zero": (
        "SO_LINGER",
        "set_linger(Some(Duration::ZERO))",
        "connection reset by peer",
        "java.net.SocketException",
        "[Errno 104]",
    ),
    "who-sent-the-rst": ("connection reset by peer", "ECONNRESET", "broken pipe", "who sent the RST", "forcibly closed"),
    "fin-wait-2": (
        "FIN_WAIT_2",
        "FIN_WAIT_2 forever",
        "FIN_WAIT2 never closes",
        "FIN_WAIT2",
        "FIN_WAIT_2 (FIN-WAIT-2) for ever",
        "FIN-WAIT-2",
        "stuck in FIN-WAIT-2",
    ),
    "last-ack": (
        "FIN_WAIT_1",
        "LAST_ACK",
        "LAST_ACK forever",
        "FIN retries",
        "too many orphaned sockets",
        "ETIMEDOUT",
        "FIN-WAIT-1",
        "LAST-ACK",
    ),
    "close-wait": ("CLOSE_WAIT", "CLOSE-WAIT", "stuck in CLOSE_WAIT", "too many open files", "accept4() failed (24:"),
    "rst-in-time-wait": ("RFC 1337", "tcp_rfc1337", "assassination", "terminates TIME_WAIT", "EF_TCP_TIME_WAIT_ASSASSINATION"),
    "small-device": ("small device", "NET_TCP_TIME_WAIT_DELAY", "CONFIG_NET_TCP_TIME_WAIT_DELAY", "TCP_MSL"),
    "time-wait-bucket-table-overflow": ("TCP: time wait bucket table overflow", "TCPTimeWaitOverflow"),
    "netstat-counters": (
        "packets rejected in established connections because of timestamp",
        "packets rejects in established connections because of timestamp",
        "TCP sockets finished time wait in fast timer",
        "TCP sockets finished time wait in slow timer",
        "time wait sockets recycled by time stamp",
        "active connections rejected because of time stamp",
        "PAWSEstab",
        "TWRecycled",
    ),
    "ack-storm": ("ACK storm", "ACKing in TIME_WAIT", "infinite ACKs", "TCP Dup ACK"),
    "no-time-wait": ("SYN-SENT", "SYN_SENT", "nf_conntrack_tcp_timeout_syn_sent"),
}
"""The pages, and the texts by which a reader who searches the site finds each."""

WORDS = 55
"""A first sentence with more words is not a short answer."""


def text(page: str) -> str:
    """A page of this folder."""
    return (FOLDER / f"{page}.md").read_text(encoding="utf-8")


def opening(page: str) -> tuple[str, str]:
    """The title of a page, and the paragraph just below it.

    Raises
    ------
    ValueError
        Something else follows the title.
    """
    tokens = MarkdownIt().parse(page)
    kinds = [token.type for token in tokens[:5]]
    if kinds != ["heading_open", "inline", "heading_close", "paragraph_open", "inline"]:
        raise ValueError(f"no paragraph follows the title: {kinds}")
    return tokens[1].content, " ".join(tokens[4].content.split())


def answer(page: str) -> str:
    """The first sentence of a page.

    Raises
    ------
    ValueError
        The page does not begin with a sentence, the sentence is a question, or it is too long.
    """
    _, paragraph = opening(page)
    first = re.match(r"(.+?[.?])(?=\s|$)", paragraph)
    if not first:
        raise ValueError("no sentence")
    if first[1].endswith("?"):
        raise ValueError("a question answers nothing")
    if len(first[1].split()) > WORDS:
        raise ValueError(f"more than {WORDS} words")
    return first[1]


def claims(page: str) -> set[str]:
    """The claims to which a page links."""
    return {found.upper() for found in re.findall(r"\]\(\.\./claims/[\w-]+\.md#(c\d+)-[\w-]+\)", page)}


def commands(page: str) -> list[str]:
    """The commands of this project that a page shows with their output."""
    shown = [command.text for block in blocks(FOLDER / f"{page}.md") if block.language == "console" for command in block.commands]
    return [command for command in shown if command.startswith("timewait ")]


def test_all_are_there() -> None:
    """Twenty, and nothing else but the list of them."""
    assert len(QUESTIONS) == 20
    assert {path.stem for path in FOLDER.glob("*.md")} == {*QUESTIONS, "index"}


@pytest.mark.parametrize("listed", [r"\]\(([\w-]+)\.md\)", r"(?m)^([\w-]+)$"], ids=["tables", "toctree"])
def test_the_list_leads_to_each(listed: str) -> None:
    """Its tables, and the contents of the site."""
    assert set(QUESTIONS) <= set(re.findall(listed, text("index")))


@pytest.mark.parametrize("page", QUESTIONS)
def test_the_answer_comes_first(page: str) -> None:
    """In one sentence, just below the title."""
    assert answer(text(page))


@pytest.mark.parametrize(
    ("page", "problem"),
    [
        ("# Why?\n\n```sh\nss\n```\n", "no paragraph"),
        ("# Why?\n\n## Symptoms\n\nIt is slow.\n", "no paragraph"),
        ("# Why?\n\nIs it slow? Yes.\n", "a question"),
        ("# Why?\n\nBecause\n", "no sentence"),
        (f"# Why?\n\n{'so ' * 60}it is.\n", "more than"),
    ],
)
def test_another_beginning_is_noticed(page: str, problem: str) -> None:
    """The check above."""
    with pytest.raises(ValueError, match=problem):
        answer(page)


@pytest.mark.parametrize("page", QUESTIONS)
def test_each_shows_a_command_and_names_its_evidence(page: str) -> None:
    """A command with its output, or a claim; and a paragraph about what stands behind the answer."""
    found = text(page)
    assert commands(page) or claims(found)
    assert claims(found) <= set(CLAIMS)
    evidence = found.rpartition("\n**Evidence.** ")[2]
    assert evidence != found
    assert claims(evidence) or re.search(r"`timewait |`tests/|\bthe kernel confirms|not from a run|run above", evidence)


@pytest.mark.parametrize(("page", "words"), [(page, words) for page, found in QUESTIONS.items() for words in found])
def test_error_texts_are_found(page: str, words: str) -> None:
    """On the page itself, in one line, as people type them."""
    assert any(words.lower() in line.replace("`", "").lower() for line in text(page).splitlines())


@pytest.mark.parametrize("page", QUESTIONS)
def test_files_that_are_named_exist(page: str) -> None:
    """Tests that a page gives as evidence."""
    assert not [file for file in re.findall(r"`(tests/[\w./]+)`", text(page)) if not (DOCS.parent / file).is_file()]


def test_the_readme_leads_there() -> None:
    """So does the first page of the site."""
    for page in (DOCS.parent / "README.md", DOCS / "index.md"):
        links = re.findall(r"\]\(([^)\s]+questions/index\.md|questions/index\.md)\)", page.read_text(encoding="utf-8"))
        assert [link for link in links if (page.parent / Path(link)).is_file()]


@pytest.mark.skipif(sys.platform != "linux", reason="the page is about Linux")
def test_syn_sent_leaves_its_port_free() -> None:
    """A full listener drops the SYN; when the client gives up, another socket can have its port without SO_REUSEADDR."""
    with socket.socket() as full, socket.socket() as waiting, socket.socket() as client, socket.socket() as other:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting.connect(full.getsockname())
        client.setblocking(False)
        client.bind(("127.0.0.1", 0))
        with pytest.raises(BlockingIOError):
            client.connect(full.getsockname())
        name = client.getsockname()
        with pytest.raises(OSError, match="Address already in use"):
            other.bind(name)
        assert client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) == b"\x02"  # SYN-SENT
        client.close()
        other.bind(name)


def counters() -> dict[str, int]:
    """The counters of the kernel that ``netstat -s`` puts into words, in the namespace of this process."""
    names, values, *_ = (line.split()[1:] for line in Path("/proc/self/net/netstat").read_text(encoding="utf-8").splitlines())
    return dict(zip(names, map(int, values), strict=True))


def grown() -> Generator[set[str]]:
    """What grows at a close, a ``connect()`` to its port, a close into a full table, and a FIN-WAIT-2 of 3 s."""
    before: dict[str, int] = {}
    with Namespace().entered(), socket.socket() as server:
        bring_up_loopback("127.0.0.1")
        settings = Path("/proc/sys/net/ipv4")
        (settings / "ip_local_port_range").write_text("40000 40000", encoding="ascii")
        server.bind(("127.0.0.1", 80))
        server.listen()
        for setting, value, both in (
            ("", "", True),
            ("", "", True),
            ("tcp_max_tw_buckets", "0", True),
            ("tcp_fin_timeout", "3", False),
        ):
            if setting:
                (settings / "tcp_max_tw_buckets").write_text("1000", encoding="ascii")
                (settings / setting).write_text(value, encoding="ascii")
            before = counters()
            with socket.create_connection(("127.0.0.1", 80)) as client:
                accepted, _ = server.accept()
                client.close()
                time.sleep(0.05)
                if both:
                    accepted.close()
            time.sleep(0.05)
            now = counters()
            yield {name for name in ("TW", "TWKilled", "TWRecycled", "TCPTimeWaitOverflow") if now[name] > before[name]}
            accepted.close()
            time.sleep(1.2)  # until tcp_tw_reuse may take the port


@pytest.mark.skipif(sys.platform != "linux" or bool(probe.missing()), reason="the counters are those of Linux")
def test_the_counters_grow_as_the_page_says() -> None:
    """A TIME-WAIT that begins, one that is taken over, one that finds no room, and a short timer."""
    assert [*isolated(grown)] == [{"TW"}, {"TW", "TWRecycled"}, {"TWRecycled", "TCPTimeWaitOverflow"}, {"TWKilled"}]
