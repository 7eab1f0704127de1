from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from birddask.outputs import planned_store
from birddask.plan import Block
from birddask.storage import Folder
from birddask.tasks import Unit
from birddask.verbs.pending import Committed, Left, committed, plan
from tests.support.marked import USABLE, Marked
from tests.support.models import tiny_spec

MADE, SCORED, BLOCKS = {1, 2}, {2, 3}, 4


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        (Committed.left_to_run, {0: (True, True), 1: (False, True), 3: (True, True)}),
        (Committed.left_to_make, {0: (True, False), 3: (True, False)}),
        (Committed.left_to_score, {1: (False, True)}),
    ],
)
def test_each_way_has_its_own_blocks_left(
    left: Callable[[Committed], Left], expected: dict[int, tuple[bool, bool]], tmp_path: Path
) -> None:
    output = Marked(Folder(str(tmp_path)), (1,) * BLOCKS)
    for number in MADE:
        output.commit(number, ["ok"])
    for number in SCORED | {BLOCKS + 1}:
        output.score(number)
    found = left(committed(output.prepared, output.plan))
    blocks = [Block(number, "marsh", "unknown", ()) for number in range(BLOCKS)]
    units = [
        Unit(blocks[number], make, score, left is Committed.left_to_run) for number, (make, score) in expected.items()
    ]
    assert list(found.units(blocks)) == units
    assert found.blocks.tolist() == [number in expected for number in range(BLOCKS)]


def test_a_plan_has_a_size_for_each_of_its_blocks(tmp_path: Path) -> None:
    spec = tiny_spec()
    planned = plan([[USABLE], [USABLE]], planned_store(Folder(str(tmp_path)), spec, 10 * spec.clip.length_samples))
    blocks = list(planned.blocks())
    assert sum(planned.sizes) == 1800
    assert planned.sizes.tolist() == [block.clips for block in blocks]
