"""Scores equal results computed by hand, and are extreme for a perfect and for a useless system."""

from pathlib import Path

import msgspec
import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.models.data.rows import IntentRow, ModerationRow, QueryRow, read_rows
from sluicegate.models.evaluation.baselines import DictionarySpeller, TfidfClassifier
from sluicegate.models.evaluation.calibration import calibrate, expected_calibration_error, reliability, tempered
from sluicegate.models.evaluation.html_report import write_html
from sluicegate.models.evaluation.intent import score_intents
from sluicegate.models.evaluation.moderation import score_moderation
from sluicegate.models.evaluation.report import Report, tables, write_json
from sluicegate.models.evaluation.rewrite import Pair, pairs_of, score_rewrites
from sluicegate.models.inference.labels import LABELS, Intent
from sluicegate.models.inference.policy import Policy
from sluicegate.schemas.errors import ContractError, StreamFailed
from tests.support.probabilities import probabilities

POLICY = Policy.layered()


@pytest.mark.parametrize(
    ("line", "named"),
    [
        (b"broken", "line 2"),
        (b'{"label": "allow"}', "`text`"),
        (b'{"text": "", "label": "allow"}', "$.text"),
        (b'{"text": "a", "label": "maybe"}', "$.label"),
        (b'{"text": "a", "label": "block", "category": "rude"}', "'rude' is none of none, hate"),
        (b'{"text": "a", "label": "block"}', "does not go with category 'none'"),
        (b'{"text": "\xff", "label": "allow"}', "line 2"),
    ],
)
def test_an_invalid_row_is_named_by_line_and_field(tmp_path: Path, line: bytes, named: str) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b'{"text": "red shoes", "label": "allow", "licence": "MIT"}\n' + line)
    with pytest.raises(ContractError) as refused:
        read_rows(file, ModerationRow)
    assert named in str(refused.value)
    assert "line 2" in str(refused.value)


def test_only_rows_of_the_split_are_read_and_none_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    rows = [{"text": f"{split} row", "domain": "travel", "split": split} for split in ("train", "dev", "test")]
    file.write_bytes(b"\n\n".join(map(orjson.dumps, rows)))
    assert [row.text for row in read_rows(file, IntentRow, split="dev")] == ["dev row"]
    assert len(read_rows(file, IntentRow)) == 3
    with pytest.raises(ContractError, match='no row of split "other"'):
        read_rows(file, IntentRow, split="other")
    with pytest.raises(StreamFailed, match="cannot read"):
        read_rows(tmp_path / "nowhere", IntentRow)


def test_the_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    sure = np.tile([0.9, 0.1], (10, 1))
    truth = np.array([0] * 6 + [1] * 4)
    [found] = reliability(sure, truth)
    assert found.rows == 10
    assert (found.confidence, found.accuracy) == pytest.approx((0.9, 0.6))
    assert expected_calibration_error([found]) == pytest.approx(0.3)


@pytest.mark.parametrize("sharpened", [0.5, 1.0, 3.0])
def test_the_fitted_temperature_undoes_what_sharpened_the_probabilities(sharpened: float) -> None:
    rng = np.random.default_rng(5)
    honest = rng.dirichlet([1.0, 0.5, 0.5], size=20_000)
    truth = np.array([rng.choice(3, p=row) for row in honest])
    fitted = calibrate(tempered(honest, 1 / sharpened), truth, served_temperature=2.0)
    assert fitted.temperature == pytest.approx(2.0 * sharpened, rel=0.05)
    assert fitted.ece_fitted < 0.01
    assert (fitted.ece > 0.05) == (sharpened != 1.0)


@given(st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3).filter(any), min_size=1), st.floats(0.1, 10))
def test_tempered_probabilities_stay_probabilities_in_the_same_order(rows: list[list[float]], by: float) -> None:
    given_ = np.array(rows) / np.sum(rows, axis=1, keepdims=True)
    made = tempered(given_, by)
    assert np.isfinite(made).all()
    assert made.sum(axis=1) == pytest.approx(1)
    assert (made.max(axis=1) == made[np.arange(len(made)), given_.argmax(axis=1)]).all()


ROWS = [
    ModerationRow("shoes", "allow"),
    ModerationRow("sofa", "allow"),
    ModerationRow("bomb", "block", "illicit", "ours"),
    ModerationRow("bombs", "block", "illicit", "ours"),
    ModerationRow("rude", "review", "harassment"),
]


def test_moderation_is_scored_as_the_policy_decides() -> None:
    scores = score_moderation(
        ROWS,
        probabilities({}, {"illicit": 0.9}, {"illicit": 0.95}, {"illicit": 0.01}, {"harassment": 0.6}),
        POLICY,
    )
    assert (scores.over_blocked, scores.escalated, scores.caught) == (0.5, 0.2, 0.5)
    assert (scores.unsafe.precision, scores.unsafe.recall) == pytest.approx((2 / 3, 2 / 3))
    illicit = scores.categories["illicit"]
    assert (illicit.rows, illicit.precision, illicit.recall, illicit.f1) == (2, 0.5, 0.5, 0.5)
    assert illicit.auprc == pytest.approx((1 + 2 / 3) / 2)
    assert scores.categories["harassment"].f1 == 1
    assert set(scores.categories) == {"illicit", "harassment"}
    ours = next(each for each in scores.outcomes if each.source == "ours")
    assert (ours.rows, ours.allowed, ours.review, ours.blocked) == (2, 0.5, 0, 0.5)


def test_a_perfect_and_a_silent_system_score_all_and_nothing() -> None:
    perfect = score_moderation(ROWS, probabilities({}, {}, {"illicit": 1}, {"illicit": 1}, {"harassment": 1}), POLICY)
    silent = score_moderation(ROWS, probabilities(*[{}] * len(ROWS)), POLICY)
    assert perfect.unsafe == msgspec.structs.replace(perfect.unsafe, auprc=1, best_f1=1, precision=1, recall=1, f1=1)
    assert (perfect.caught, perfect.over_blocked, perfect.calibration.ece) == pytest.approx((1, 0, 0))
    assert (silent.caught, silent.unsafe.recall, silent.unsafe.f1) == (0, 0, 0)
    assert silent.unsafe.auprc == pytest.approx(3 / 5)  # the share of unsafe rows: no better than chance


def test_of_safe_rows_alone_nothing_is_said_about_detection() -> None:
    scores = score_moderation(ROWS[:2], probabilities({}, {"illicit": 0.9}), POLICY)
    cells = dict(tables(Report("moderation", "rows.jsonl", 2, {"ours": scores}))[0].rows)
    assert cells["recall, as served"] == cells["AUPRC"] == ["none"]
    assert cells["safe rows blocked"] == ["50.0%"]


def test_the_curve_goes_from_all_caught_to_none() -> None:
    scores = score_moderation(ROWS, probabilities({}, {}, {"illicit": 0.6}, {"illicit": 0.4}, {}), POLICY)
    curve = scores.trade_offs
    assert (curve[0].caught, curve[0].escalated) == (1, 0.5)
    assert [each.caught for each in curve] == sorted((each.caught for each in curve), reverse=True)
    assert (curve[-1].blocked, curve[-1].over_blocked) == (0, 0)
    at_half = next(each for each in curve if each.threshold == 0.5)
    assert (at_half.caught, at_half.blocked) == (0.5, 0.5)


def test_the_rows_that_were_wrong_are_listed_and_their_texts_only_on_request() -> None:
    said = probabilities({"illicit": 0.9}, {}, {"illicit": 0.4}, {}, {"harassment": 0.6})
    wrong = score_moderation(ROWS, said, POLICY).wrong
    assert [(row.row, row.label, row.verdict, row.reason, row.text) for row in wrong] == [
        (1, "allow", "block", "illicit", None),
        (4, "block", "allow", None, None),
    ]
    with_texts = score_moderation(ROWS, said, POLICY, with_texts=True).wrong
    assert [row.text for row in with_texts] == ["shoes", "bombs"]


def test_an_intent_counts_when_it_is_the_rows_own() -> None:
    rows = [IntentRow("a", "travel"), IntentRow("b", "travel"), IntentRow("c", "out_of_scope"), IntentRow("d", "home")]
    scores = score_intents(rows, [Intent.TRAVEL, None, Intent.OTHER, Intent.META])
    assert scores.accuracy == 0.5
    assert scores.domains == {"home": 0, "out_of_scope": 1, "travel": 0.5}
    with pytest.raises(ContractError, match="unknown domain 'cooking'"):
        score_intents([IntentRow("a", "cooking")], [None])


PAIRS = [
    Pair("red shoez", "red shoes"),
    Pair("blu sofa", "blue sofa"),
    Pair("gren lamp", "green lamp"),
    *(Pair(f"thing{n} x", f"thing {n}") for n in range(12)),
]


def test_a_perfect_rewriter_recovers_all_lost_recall_and_an_idle_one_none() -> None:
    meant = {pair.typed: pair.meant for pair in PAIRS}
    knowing = score_rewrites(PAIRS, lambda queries: [meant.get(query, query) for query in queries])
    idle = score_rewrites(PAIRS, lambda queries: list(queries))
    spoiling = score_rewrites(PAIRS, lambda queries: ["nothing at all"] * len(queries))
    assert (knowing.restored, knowing.spoilt, knowing.character_error_rate, knowing.recovered) == (1, 0, 0, 1)
    assert (idle.restored, idle.spoilt, idle.worsened, idle.recovered) == (0, 0, 0, 0)
    assert idle.character_error_rate == idle.character_error_rate_before > 0
    assert (spoiling.restored, spoiling.spoilt, spoiling.worsened) == (0, 1, 1)
    assert (knowing.restored_for_each_damaged, spoiling.restored_for_each_damaged) == (None, 0)
    assert (knowing.interval_of(1.0).count, knowing.interval_of(1.0).rows) == (len(PAIRS), len(PAIRS))
    assert spoiling.recovered is not None
    assert spoiling.recovered < 0
    spelt_right = score_rewrites([Pair("red shoes", "red shoes")], lambda queries: list(queries))
    assert spelt_right.recovered is None
    assert knowing.clean.recall_at_10 == knowing.rewritten.ndcg_at_10 == 1
    assert knowing.corrupted.recall_at_10 < 0.5


def test_pairs_are_the_files_own_or_corrupted_by_seed() -> None:
    assert pairs_of([QueryRow(query="Red Shoez", clean="red shoes")]) == [Pair("red shoez", "red shoes")]
    clean = [QueryRow(text=f"cheap running shoes {n}") for n in range(50)]
    assert pairs_of(clean) == pairs_of(clean)
    assert pairs_of(clean) != pairs_of(clean, seed=1)
    assert all(pair.typed != pair.meant for pair in pairs_of(clean))
    assert len(pairs_of([*clean, *clean])) == len(pairs_of(clean))


def test_the_linear_baseline_learns_from_words() -> None:
    texts = [f"{word} number {n}" for n in range(40) for word in ("bomb", "shoes")]
    baseline = TfidfClassifier(texts, ["illicit" if "bomb" in text else "allow" for text in texts])
    assert baseline.predict(["a bomb", "new shoes"]) == ["illicit", "allow"]
    given_ = baseline.probabilities(["a bomb"], LABELS)
    assert given_.shape == (1, len(LABELS))
    assert given_.sum() == pytest.approx(1)
    assert given_[0, LABELS.index("illicit")] > 0.5


def test_the_dictionary_speller_corrects_words() -> None:
    assert DictionarySpeller().rewrite(["chep runing shoes"]) == ["cheap running shoes"]


def test_a_report_is_written_whole_for_machines_and_self_contained_for_people(tmp_path: Path) -> None:
    scores = score_moderation(ROWS, probabilities({}, {}, {"illicit": 1}, {}, {}), POLICY)
    report = Report("moderation", "<rows>.jsonl", len(ROWS), {"<model>": scores, "other": scores})
    write_json(report, tmp_path / "report.json")
    write_html(report, tmp_path / "report.html")
    assert orjson.loads((tmp_path / "report.json").read_bytes()) == msgspec.to_builtins(report)
    page = (tmp_path / "report.html").read_text()
    assert page.count("<svg") == 6
    assert page.count("<table>") == 12
    assert 'class="tick"' in page
    assert "&lt;rows&gt;.jsonl" in page
    assert "<model>" not in page
    assert "<rows>" not in page
    assert "src=" not in page
    assert "AUPRC" in page


def test_nothing_in_the_rows_becomes_a_link_or_a_script_of_the_page(tmp_path: Path) -> None:
    hostile = "[link=javascript:alert(1)]x[/link]<script>alert(2)</script>"
    rows = [ModerationRow(hostile, "block", "illicit", hostile), *ROWS]
    scores = score_moderation(rows, probabilities(*[{}] * len(rows)), POLICY, with_texts=True)
    write_html(Report("moderation", hostile, len(rows), {hostile: scores}), tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "<script" not in page
    assert "href" not in page
    assert "<a " not in page
    assert page.count("&lt;script&gt;alert(2)") >= 4
    assert "default-src 'none'" in page
