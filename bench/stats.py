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


def slope(points):
    """The rise of a straight line through [(x, y)] by least squares; 0 for one point."""
    middle_x = statistics.mean(x for x, _ in points)
    middle_y = statistics.mean(y for _, y in points)
    spread = sum((x - middle_x) ** 2 for x, _ in points)
    return sum((x - middle_x) * (y - middle_y) for x, y in points) / spread if spread else 0.0


def write_curves(path, title, curves, colours=("#2b6cb0", "#c05621", "#2f855a")):
    """{name: ([(seconds, share of the usual)], seconds when it was over)}: a strip for each, on one scale."""
    first = min(points[0][0] for points, _ in curves.values())
    last = max(points[-1][0] for points, _ in curves.values())
    most = max(1.2, max(share for points, _ in curves.values() for _, share in points))
    width, left, right, top, strip, gap = 720, 60, 20, 44, 110, 46
    across, up = (width - left - right) / (last - first), strip / most
    out = [f"<text x='12' y='24' font-size='15'>{escape(title)}</text>"]
    for number, (name, (points, total)) in enumerate(curves.items()):
        floor = top + number * (strip + gap) + strip
        colour = colours[number % len(colours)]
        places = " ".join(f"{left + (x - first) * across:.1f},{floor - y * up:.1f}" for x, y in points)
        usual, over = floor - up, left + (total - first) * across
        out += [f"<text x='{left}' y='{floor - strip - 4}'>{escape(name)}: {total:.2f} s</text>",
                f"<line x1='{left}' y1='{usual:.1f}' x2='{width - right}' y2='{usual:.1f}' stroke='#cbd5e0'/>",
                f"<text x='{left - 8}' y='{usual + 4:.1f}' text-anchor='end'>100 %</text>",
                f"<line x1='{left}' y1='{floor}' x2='{width - right}' y2='{floor}' stroke='#4a5568'/>",
                f"<text x='{left - 8}' y='{floor + 4}' text-anchor='end'>0</text>"]
        out += [f"<line x1='{x:.1f}' y1='{floor - strip}' x2='{x:.1f}' y2='{floor}' stroke='#718096' "
                "stroke-dasharray='4 3'/>" for x in (left - first * across, over)]
        out += [f"<text x='{left - first * across:.1f}' y='{floor + 16}' text-anchor='middle'>0 s</text>",
                f"<text x='{over:.1f}' y='{floor + 16}' text-anchor='middle'>{total:.2f} s</text>",
                f"<polyline points='{places}' fill='none' stroke='{colour}' stroke-width='1.5'/>"]
    height = top + len(curves) * (strip + gap)
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}' "
                   "font-family='sans-serif' font-size='12'>\n<rect width='100%' height='100%' fill='white'/>\n")
        file.write("\n".join(out) + "\n</svg>\n")


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
