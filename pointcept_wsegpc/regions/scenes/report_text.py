"""The numbers of report.py as text."""

from .report import KINDS

BAR = 24  # characters of the longest bar of a histogram


def caption(numbers):
    """The numbers of one partition of points in a line."""
    words = [
        f"{numbers['regions']:.0f} regions",
        f"{100 * numbers.get('unassigned', 0):.0f} % unassigned",
        f"largest {100 * numbers.get('largest', 0):.0f} %",
    ]
    if "quality" in numbers:
        words.append(f"quality {numbers['quality']:.2f}")
    return ", ".join(words)


def text(report, title):
    """The whole report as text."""
    if not report["scenes"]:
        return f"{title}: no finished scene"
    blocks = [
        [f"{title}: {report['scenes']} scenes"],
        [line for kind in KINDS for line in settings_lines(report, kind)],
        table(report),
        histogram(report),
        worst_table(report),
        advice_lines(report),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def short(report):
    """The numbers and what looks wrong, without the rest."""
    return "\n".join([*table(report), *advice_lines(report)])


def advice_lines(report):
    return [f"! {line}" for line in report["advice"]]


def settings_lines(report, kind):
    settings = {**report["settings"][0][kind]}
    numbers = report[kind]
    words = [f"{kind:<8}{settings.pop('method')}"]
    for name, value in settings.items():
        derived = numbers["derived"].get(name)
        words.append(f"{name}={value}" if derived is None else f"{name}={_span(derived)}*")
    lines = ["  ".join(words)]
    if "spacing" in numbers["range"]:
        spacing = _span(numbers["range"]["spacing"])
        lines.append(f"        * from the data; the points lie {spacing} m apart")
    return lines


def _span(ends):
    low, high = (f"{end:.3g}" for end in ends)
    return low if low == high else f"{low}..{high}"


def table(report):
    """Rows of numbers, one column for the points and one for the views."""
    rows = (
        ("number", "number", "{:.0f}"),
        ("regions each", "regions", "{:.1f}"),
        ("unassigned", "unassigned", "{:.1%}"),
        ("in the largest region", "largest", "{:.1%}"),
        ("size of the median region", "median_size", "{:.0f}"),
        ("majority-vote mIoU", "quality", "{:.1%}"),
        ("boundary recall", "boundary_recall", "{:.1%}"),
        ("seconds in all", "seconds", "{:.1f}"),
        ("points per second", "points_per_second", "{:.0f}"),
    )
    over = "over scenes" if report["scenes"] > 1 else ""
    lines = [f"{'':27}" + "".join(f"{kind:>12}{over:>20}" for kind in KINDS).rstrip()]
    for title, key, form in rows:
        line = f"{title:<27}"
        for kind in KINDS:
            value, ends = report[kind].get(key), report[kind]["range"].get(key)
            line += f"{'-' if value is None else form.format(value):>12}"
            several = ends and report["scenes"] > 1
            line += f"{'..'.join(map(form.format, ends)) if several else '':>20}"
        lines.append(line.rstrip())
    return lines


def histogram(report):
    """Regions by size, as bars; a row per power of two."""
    sizes = {kind: report[kind]["sizes"] for kind in KINDS}
    filled = [i for counts in sizes.values() for i, count in enumerate(counts) if count]
    if not filled:
        return []
    lines = [f"{'size of a region':<20}" + "".join(f"{f'{kind}':<{BAR + 10}}" for kind in KINDS)]
    for i in range(min(filled), max(filled) + 1):
        line = f"{f'{2**i}..{2 ** (i + 1) - 1}':<20}"
        for counts in sizes.values():
            bar = "#" * -(-BAR * counts[i] // max(max(counts), 1))
            line += f"{counts[i]:>7} {bar:<{BAR + 2}}"
        lines.append(line.rstrip())
    return [line.rstrip() for line in lines]


def worst_table(report):
    columns = ("quality", "boundary_recall", "unassigned", "largest", "regions")
    lines = [f"{'worst scenes':<27}" + "".join(f"{name.replace('_', ' '):>17}" for name in columns)]
    for name in report["worst"]:
        numbers = report["per_scene"][name]["points"]
        cells = [
            "-" if key not in numbers else f"{numbers[key]:.{0 if key == 'regions' else 3}f}"
            for key in columns
        ]
        lines.append(f"{name:<27}" + "".join(f"{cell:>17}" for cell in cells))
    return lines
