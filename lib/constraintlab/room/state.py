"""What the screen shows of a room: counts before the reveal, and nothing of what was measured."""

from __future__ import annotations

from collections import Counter
from statistics import median

from constraintlab.limits.resource import Resource
from constraintlab.room.catalogue import Question, resource
from constraintlab.room.store import Store


def state(store: Store) -> dict:
    """The page's whole content; JSON. Not a word in it comes from a laptop.

    {joined, finished: {lab: n}, questions: [{lab, key, answers, measured, revealed}], shown}
    shown: {lab, key, question, options: [{text, resource, predicted}], answers, late, measured,
    revealed}, and once revealed also `measured` in each option, `other` (measured, but none of the
    options), unit, values (sorted), median, finished and binds: [{resource, laptops}].
    """
    revealed = store.revealed
    answers = _count(store, "predictions")
    measured = _count(store, "measurements")
    finished = dict(store.rows("SELECT lab, count(*) FROM finishes GROUP BY lab"))
    return {
        "joined": store.joined,
        "finished": finished,
        "questions": [
            {
                "lab": q.lab, "key": q.key, "question": q.question, "answers": answers[q.name],
                "measured": measured[q.name], "revealed": q.name in revealed,
            }
            for q in store.catalogue.questions
        ],
        "shown": shown(store, store.shown, revealed=store.shown.name in revealed),
    }  # fmt: skip


def shown(store: Store, question: Question, revealed: bool) -> dict:
    """The question on the screen."""
    rows = store.rows(
        "SELECT place, late FROM predictions WHERE lab = ? AND key = ?", question.name
    )
    votes = Counter(place for place, late in rows if not late)
    # An older version of the course may have asked with other options.
    places = range(len(question.options))
    found = store.rows(
        "SELECT place, resource, value FROM measurements WHERE lab = ? AND key = ?", question.name
    )
    options = [_option(text, votes[i]) for i, text in enumerate(question.options)]
    seen = {
        "lab": question.lab,
        "key": question.key,
        "question": question.question,
        "options": options,
        "answers": sum(votes[i] for i in places),
        "late": sum(1 for _, late in rows if late),
        "measured": len(found),
        "revealed": revealed,
    }
    return seen | _measured(store, question, options, found) if revealed else seen


def _option(text: str, votes: int) -> dict:
    kind = resource(text)
    return {"text": text, "resource": kind and kind.value, "predicted": votes}


def _measured(store: Store, question: Question, options: list[dict], found: list[tuple]) -> dict:
    """What the reveal adds."""
    truths = Counter(place for place, _, _ in found)
    for i, option in enumerate(options):
        option["measured"] = truths[i]
    other = Counter(kind for place, kind, _ in found if place is None)
    values = sorted(value for _, _, value in found if value is not None and question.unit)
    binds = Counter(
        dict(
            store.rows(
                "SELECT resource, count(*) FROM finishes WHERE lab = ? AND resource IS NOT NULL "
                "GROUP BY resource", (question.lab,),
            )
        )
    )  # fmt: skip
    return {
        "options": options
        + [
            {"text": Resource(kind).label if kind else "something else", "resource": kind,
             "predicted": 0, "measured": n}
            for kind, n in other.most_common()
        ],
        "unit": question.unit,
        "values": values,
        "median": median(values) if values else None,
        "binds": [
            {"resource": kind, "label": Resource(kind).label, "laptops": n}
            for kind, n in binds.most_common()
        ],
    }  # fmt: skip


def _count(store: Store, table: str) -> Counter:
    late = "WHERE NOT late" if table == "predictions" else ""
    found = store.rows(f"SELECT lab, key, count(*) FROM {table} {late} GROUP BY lab, key")
    return Counter({(lab, key): n for lab, key, n in found})
