"""Pictures of a verdict: how recall, precision and F1 of each rating differ from the champion's."""

from matplotlib.figure import Figure

from steps.evaluation.gate import Verdict

PANELS = {"recall": "recall", "precision": "precision", "f1": "F1"}
BETTER, WORSE, CHANCE = "#0072b2", "#d55e00", "#7f7f7f"  # Okabe and Ito's, told apart by all
PALE = 0.12


def difference_figure(verdict: Verdict) -> Figure:
    """Per rating the challenger's score less the champion's, with its paired 95% interval; the recall that may be lost."""
    figure = Figure(figsize=(9.5, 3.4), layout="constrained")
    panels = figure.subplots(1, len(PANELS), sharey=True, sharex=True)
    for axes, (name, title) in zip(panels, PANELS.items(), strict=True):
        for rating in range(1, 6):
            gain = verdict.gains[f"{name}_{rating}"].estimate
            colour = BETTER if gain.low > 0 else WORSE if gain.high < 0 else CHANCE
            reach = [[max(gain.value - gain.low, 0.0)], [max(gain.high - gain.value, 0.0)]]
            axes.errorbar(gain.value, rating, xerr=reach, marker="o", capsize=3, color=colour)
        axes.axvline(0, color="black", linewidth=1)
        axes.grid(color="black", alpha=PALE)
        axes.set(title=title, xlabel="challenger less champion", yticks=range(1, 6))
    panels[0].axvline(-verdict.limits.recall_drop, color=WORSE, linestyle="--", linewidth=1)
    panels[0].set_ylabel("true stars")
    figure.suptitle("blue: better beyond chance, orange: worse, grey: may be chance; dashed: recall that may be lost", fontsize=9)
    return figure
