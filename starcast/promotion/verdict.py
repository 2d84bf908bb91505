"""Judge a challenger: score both models on its test reviews, and publish the verdict."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from starcast.cli.errors import UserError
from starcast.evaluation.scale import Scale
from starcast.promotion import gate, report
from starcast.promotion.ask import ask
from starcast.promotion.gate import judge_contenders
from starcast.promotion.parameters import PromoteParameters
from starcast.promotion.report import VerdictNotes, verdict_json, verdict_report
from starcast.promotion.same_data import check_sample, other_data
from starcast.reports import figures, files
from starcast.reports.table import plain
from starcast.reviews.hashing import digest_sum, digest_text
from starcast.reviews.slices import slices_among
from starcast.reviews.split import LEARNED_FROM
from starcast.tracking import (
    champions,
    commands,
    held_out,
    lineage,
    pages,
    registry,
    runs,
    scoring,
    store,
    succession,
)

FEWEST = 100  # test reviews on which a verdict is reached although others had to be left out
OutcomeTag = Literal["won", "lost", "overtaken", "rollback", "none"]


@dataclass(frozen=True)
class Judgement:
    """A verdict on a challenger, the champion it was judged against, if any, and the predicted reviews."""

    verdict: gate.Verdict
    challenger: registry.Version
    champion: registry.Version | None
    reviews: pl.DataFrame
    compared: dict[str, str]
    cautions: tuple[str, ...]

    def summary(self) -> str:
        """Return the deciding score and its improvement as a sentence."""
        metric = self.verdict.limits.metric
        better = gate.gain_text(gate.improvement(metric, self.verdict.gains[metric].estimate))
        return f"{metric} {self.verdict.challenger_draws.values[metric]:.3f}, {better}"


@dataclass(frozen=True)
class PromotionOutcome:
    """The outcome as a tag and as a sentence, whether it only needs `mode=enabled`, and of which version."""

    tag: OutcomeTag
    sentence: str
    dry_run: bool = False
    version: str = ""

    @classmethod
    def of(cls, judged: Judgement, enabled: bool) -> "PromotionOutcome":
        """Return the outcome before any alias was moved."""
        name, version = judged.challenger.name, judged.challenger.version
        if judged.verdict.passed:
            would = f"Version {version} of {name} would become champion (dry run; mode=enabled does it)."
            return cls("won", would, not enabled, version)
        champion = judged.champion
        stays = f"version {champion.version} stays champion" if champion else "there is no champion yet"
        does = "does" if enabled else "would"
        return cls("lost", f"Version {version} of {name} {does} not become champion: {stays}.")

    @classmethod
    def after(cls, judged: Judgement, state: succession.State) -> "PromotionOutcome":
        """Return the outcome after the change of champion was written."""
        name, version = judged.challenger.name, judged.challenger.version
        if state.champion != version:
            return cls("overtaken", overtaken(name, state))
        before = f", version {state.previous} is previous_champion" if state.previous else ", the first"
        return cls("won", f"Version {version} of {name} is now champion{before}.")


def overtaken(name: str, state: succession.State) -> str:
    """Return the sentence for a champion that somebody else changed in the meantime."""
    last = state.events[-1]
    who = f"{last.kind} by {last.by} at {last.at}"
    became = f"version {state.champion or 'none'} of {name} became champion meanwhile ({who})"
    return f"Overtaken: {became}; run promote again."


def judge_versions(
    challenger: registry.Version, champion_version: str, parameters: PromoteParameters
) -> Judgement:
    """Let both models predict the challenger's test reviews that neither was trained on, and judge.

    Raises:
        UserError: the reviews are gone or changed, the champion was trained on too many of them, a model
            cannot be loaded, or one of the sample would replace one of other data.
    """
    splits = held_out.splits_of(challenger)
    test = splits["test"]
    whole = pl.concat(list(held_out.chunks_of(test)))
    tested_on = challenger.tags.get("test_digest", test.digest)
    if tested_on != test.digest:
        other = f"it was tested on reviews {tested_on}, its run names {test.digest}"
        raise UserError(f"model {challenger.uri}: {other}")
    champion = registry.find(f"models:/{challenger.name}/{champion_version}") if champion_version else None
    if champion:
        check_sample(challenger, champion, parameters.allow_sample)
    scale = _same_scale(challenger, champion)
    reviews, cautions = _unseen(whole, splits, champion, parameters.allow_seen)
    if champion and (other := other_data(challenger, champion)):
        print(f"promote: {other}", flush=True)
        cautions = (other, *cautions)
    digest, of = digest_text(digest_sum(reviews)), f" of {whole.height:,}" if reviews is not whole else ""
    compared = {"test reviews": f"{reviews.height:,}{of}, digest {digest}, {test.source}"}
    contenders = []
    for role, version in (("challenger", challenger), ("champion", champion)):
        if version:
            label = f"{role} version {version.version} ({version.tags.get('family', 'unknown family')})"
            print(f"promote: {label} predicts {reviews.height:,} test reviews", flush=True)
            with scoring.opened(version, parameters.trust_model_code, as_served=True) as loaded:
                for note in loaded.notes:
                    print(f"promote: {note}", flush=True)
                asked = ask(loaded, label, reviews)
            cautions = (*cautions, *loaded.notes)
            times = f"one review {asked.latency(50):.1f} ms (p99 {asked.latency(99):.1f} ms)"
            where = f"{version.link}, run `{version.run_id}`"
            compared[label] = f"{where}, {times}, {asked.megabytes:.1f} MB"
            contenders.append(asked)
    if mute := [each.label for each in contenders if each.probabilities is None]:
        unjudged = f"No probabilities from {' and '.join(mute)}: ece_rise is not judged"
        print(f"promote: {unjudged}", flush=True)
        cautions = (*cautions, f"{unjudged}.")
    ratings, rival = reviews["rating"].to_numpy().astype(np.int64) - 1, contenders[1] if champion else None
    slicings, limits = slices_among(reviews), parameters.limits()
    verdict = judge_contenders(ratings, contenders[0], rival, limits, parameters.seed, scale, slicings)
    lineage.log_dataset(reviews.schema, reviews.height, "test reviews", digest, test.source, "test")
    return Judgement(verdict, challenger, champion, reviews, compared, cautions)


def _same_scale(challenger: registry.Version, champion: registry.Version | None) -> Scale:
    """Return the ratings that both models give.

    Raises:
        UserError: they give different ones.
    """
    ours = scoring.trained_on(challenger).scale
    theirs = scoring.trained_on(champion).scale if champion else ours
    if champion and ours != theirs:
        rated = f"champion version {champion.version} rates {theirs}, "
        rated += f"challenger version {challenger.version} {ours}"
        raise UserError(f"{rated}: they cannot be compared; train a challenger on {theirs}")
    return ours


def _unseen(
    reviews: pl.DataFrame, splits: dict[str, lineage.Input], champion: registry.Version | None, allowed: bool
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Return the test reviews without those that the champion was trained on, and warnings.

    Nothing is left out if `allowed`.

    Raises:
        UserError: too few are left.
    """
    cautions, total = [], f"the {reviews.height:,} test reviews"
    own = held_out.seen_reviews(reviews, splits)
    if own.any():
        cautions.append(f"{int(own.sum()):,} of {total} read like one that the challenger was trained on.")
    if not champion:
        return reviews, tuple(cautions)
    known = _seen_by(champion, reviews, splits, own, allowed)
    if known is None:
        unknown = f"What champion version {champion.version} was trained on is not known"
        return reviews, (*cautions, f"{unknown}: its scores may be too high.")
    seen, left = int(known.sum()), int((~known).sum())
    if not seen:
        return reviews, tuple(cautions)
    trained = f"champion version {champion.version} was trained on {seen:,} of {total}"
    if allowed:
        return reviews, (*cautions, f"The {trained}: its scores are too high.")
    if left < FEWEST:
        why = f"{trained}, and on the {left:,} others nothing can be told (at least {FEWEST})"
        way = "train both with split=hash and the same seed, then a review stays in its split as others come"
        raise UserError(f"{why}: {way}; allow_seen=true compares all the same")
    cautions.append(f"The {trained}: both are judged on the {left:,} others.")
    print(f"promote: {cautions[-1]}", flush=True)
    return reviews.filter(~known), tuple(cautions)


def _seen_by(
    champion: registry.Version,
    reviews: pl.DataFrame,
    splits: dict[str, lineage.Input],
    own: np.ndarray,
    allowed: bool,
) -> np.ndarray | None:
    """Return which reviews the champion was trained on; None if that is not known, and `allowed`.

    Args:
        splits, own: the challenger's, and which reviews it was trained on; most often both have the same.
    """
    try:
        theirs = held_out.splits_of(champion)
        if all(theirs[name].digest == splits[name].digest for name in LEARNED_FROM):
            return own
        return held_out.seen_reviews(reviews, theirs)
    except UserError as unknown:
        if allowed:
            return None
        raise UserError(f"{unknown}; allow_seen=true judges against it all the same") from None


def publish(judged: Judgement, outcome: PromotionOutcome, run_id: str) -> None:
    """Write the verdict to the active run and the model version, and print it."""
    verdict = judged.verdict
    facts = VerdictNotes(outcome.sentence, judged.compared, judged.cautions)
    changed = report.changed_reviews(verdict, judged.reviews)
    with runs.artifacts_of_run() as folder:
        verdict_report(verdict, facts, changed).save(folder, commands.origin_of_report())
        figures.confusion_picture(verdict.matrices, verdict.scale).save(folder / "confusion_matrices.png")
        files.write_json(folder / "verdict.json", verdict_json(verdict, facts))
        changed.write_parquet(folder / "changed_reviews.parquet")
    said = "\n\n".join([*report.answer(verdict, facts), report.check_table(verdict).markdown()])
    champion = judged.champion.version if judged.champion else "none"
    tags = {"verdict": outcome.tag, "challenger": judged.challenger.version, "champion": champion}
    runs.describe(said, tags)
    runs.rename_active(_name(judged, outcome))
    metric = verdict.limits.metric
    gain = verdict.gains[metric].estimate
    runs.log_metrics(
        {
            f"challenger_{metric}": verdict.challenger_draws.values[metric],
            f"baseline_{metric}": verdict.baseline_draws.values[metric],
            f"difference_{metric}": gain.value,
            f"difference_{metric}_low": gain.low,
            f"difference_{metric}_high": gain.high,
            "challenger_latency_ms": verdict.challenger.latency(50),
            "challenger_megabytes": verdict.challenger.megabytes,
        }
    )
    address, at = store.page_within(run_id, "report.html"), succession.moment(succession.now())
    page = f"Both confusion matrices, differences, changed reviews: [the verdict's report]({address})."
    told = {"verdict": outcome.tag, "verdict_run_id": run_id}
    state = champions.read_state(judged.challenger.name)
    pages.write_verdict(judged.challenger, state, f"{said}\n\n{page}", at, told)
    for line in report.answer(verdict, facts):
        print(f"promote: {plain(line)}")
    for check in verdict.checks:
        mark = "passes" if check.passed else "FAILS "
        print(f"  {mark}  {check.name}: {check.found} (required: {check.asked})", flush=True)


def _name(judged: Judgement, outcome: PromotionOutcome) -> str:
    """Return the name of a verdict's run: `promote v2: lost, +0.012 (-0.027 to +0.055)`."""
    metric, verdict = judged.verdict.limits.metric, judged.verdict
    ended = "would win" if outcome.dry_run else outcome.tag
    if verdict.first:
        found = f"the first, {verdict.challenger_draws.estimate(metric).short}"
    else:
        found = gate.signed(gate.improvement(metric, verdict.gains[metric].estimate))
    return f"promote v{judged.challenger.version}: {ended}, {found}"


def next_steps(parameters: PromoteParameters, outcome: PromotionOutcome) -> list[str]:
    """Return the commands that come next after a verdict: after a dry run, with its very limits."""
    name, state = parameters.model, champions.read_state(parameters.model)
    if outcome.dry_run:
        asked = {"model": name, **parameters.given(), "version": outcome.version, "mode": "enabled"}
        return [f"do it: {commands.command_line('promote', **asked)}"]
    if not state.champion:
        return []
    steps = [f"serve the champion: {commands.serve_command(f'models:/{name}@{registry.CHAMPION}')}"]
    if state.previous:
        steps.append(f"undo: {commands.command_line('promote', model=name, rollback='true', reason='...')}")
    return steps
