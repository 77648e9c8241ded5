"""Claims: one holder at a time, and none for a process that is gone."""

import json
import multiprocessing
import os
import socket
import time

import pytest

from pointcept_wsegpc.files import claims
from pointcept_wsegpc.files.claims import Held, claim


def test_one_process_holds_a_claim_at_a_time(tmp_path):
    path = tmp_path / "train" / "scene.claim"
    with claim(path) as check:
        check()
        with (
            pytest.raises(Held, match=f"process {os.getpid()} on {socket.gethostname()}"),
            claim(path),
        ):
            pass
        check()
    assert not any(path.parent.iterdir())
    with claim(path):  # free again
        pass


def _take(path, tries, barrier, log):
    barrier.wait()
    for _ in range(tries):
        try:
            with claim(path), open(log, "a") as file:
                file.write("+\n")
                file.flush()
                time.sleep(0.002)
                file.write("-\n")
        except Held:
            pass


def test_processes_never_hold_one_claim_together(tmp_path):
    context = multiprocessing.get_context("fork")
    barrier, log = context.Barrier(3), tmp_path / "log"
    given = tmp_path / "claim", 40, barrier, log
    takers = [context.Process(target=_take, args=given) for _ in range(3)]
    for taker in takers:
        taker.start()
    for taker in takers:
        taker.join()
    held = log.read_text().split()
    assert held == ["+", "-"] * (len(held) // 2)
    assert len(held) >= 6


def left_behind(path, **changed):
    mine = {**claims._this_process(), "claim": "other", **changed}
    path.write_text(json.dumps(mine))
    return mine


@pytest.mark.parametrize("gone", [{"process": 2**22 + 1}, {"start": "earlier"}])
def test_a_claim_of_a_process_that_is_gone_is_taken_over(tmp_path, gone, caplog):
    left_behind(tmp_path / "claim", **gone)
    with claim(tmp_path / "claim") as check:
        check()
    assert "taken over" in caplog.text


@pytest.mark.parametrize("content", ["", "[1]", json.dumps({"host": "elsewhere", "process": 1})])
def test_a_claim_that_cannot_be_looked_up_counts_until_it_is_old(tmp_path, content):
    path = tmp_path / "claim"
    path.write_text(content)
    with pytest.raises(Held), claim(path):
        pass
    old = time.time() - claims.MAX_AGE - 60
    os.utime(path, (old, old))
    with claim(path) as check:
        check()


def test_a_holder_notices_that_its_claim_was_taken_over(tmp_path):
    with claim(tmp_path / "claim") as check:
        (tmp_path / "claim").unlink()
        theirs = left_behind(tmp_path / "claim")
        with pytest.raises(Held, match="took it over"):
            check()
    assert json.loads((tmp_path / "claim").read_text()) == theirs  # not ours to remove
