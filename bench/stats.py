# SPDX-License-Identifier: LGPL-2.1-or-later
"""Medians, paired ratios with their 95 % intervals, JSON and a chart."""

import json
import random
import statistics
from xml.sax.saxutils import escape

ROUNDS = 10000


def median(values):
    return statistics.median(values)


def paired_ratio(ours, theirs, seed=1):
    """The median of ours[i] / theirs[i] and its 95 % interval.

    The pairs come from interleaved runs, so what slows the machine down for a
    while slows both; the interval is the bootstrap's over pairs.
    """
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    rng = random.Random(seed)
    medians = sorted(statistics.median(rng.choices(ratios, k=len(ratios))) for _ in range(ROUNDS))
    low, high = medians[int(ROUNDS * 0.025)], medians[int(ROUNDS * 0.975) - 1]
    return {"ratio": statistics.median(ratios), "low": low, "high": high, "n": len(ratios)}


def verdict(ratio, limit):
    """Whether the whole interval keeps the limit."""
    if ratio["high"] <= limit:
        return "reached"
    return "missed" if ratio["low"] > limit else "undecided"


def table(samples):
    """Lines of a table: {measure: {peer: [seconds]}} as min / median / max."""
    lines = [f"{'':24}{'n':>4}{'min':>9}{'median':>9}{'max':>9}  s"]
    for measure, peers in samples.items():
        for peer, values in peers.items():
            lines.append(f"{measure + ' ' + peer:24}{len(values):4}{min(values):9.3f}"
                         f"{median(values):9.3f}{max(values):9.3f}")
    return lines


def write_json(path, samples, ratios, about):
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"about": about, "seconds": samples, "ratios": ratios}, file, indent=2, sort_keys=True)
        file.write("\n")


def write_svg(path, title, samples, colours=("#2b6cb0", "#a0aec0", "#c05621", "#2f855a")):
    """A bar for each median, a dot for each run; one group for each measure."""
    rows = [(measure, peer, values) for measure, peers in samples.items() for peer, values in peers.items()]
    peers = list(dict.fromkeys(peer for _, peer, _ in rows))
    longest = max(max(values) for _, _, values in rows)
    width, left, right, step, top = 720, 150, 70, 26, 44
    scale = (width - left - right) / longest
    out = [f"<text x='12' y='24' font-size='15'>{escape(title)}</text>"]
    y = top
    last = None
    for measure, peer, values in rows:
        y += 12 if last not in (None, measure) else 0
        last = measure
        colour = colours[peers.index(peer) % len(colours)]
        middle = y + step / 2
        out.append(f"<text x='{left - 8}' y='{middle + 4:.0f}' text-anchor='end'>"
                   f"{escape(measure)} {escape(peer)}</text>")
        out.append(f"<rect x='{left}' y='{y + 3}' width='{median(values) * scale:.1f}' height='{step - 6}' "
                   f"fill='{colour}'/>")
        out += [f"<circle cx='{left + value * scale:.1f}' cy='{middle:.0f}' r='2' fill='#1a202c' "
                "fill-opacity='0.5'/>" for value in values]
        out.append(f"<text x='{left + max(values) * scale + 6:.0f}' y='{middle + 4:.0f}'>"
                   f"{median(values):.2f} s</text>")
        y += step
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{y + 12}' "
                   f"font-family='sans-serif' font-size='12'>\n"
                   f"<rect width='100%' height='100%' fill='white'/>\n")
        file.write("\n".join(out) + "\n</svg>\n")
