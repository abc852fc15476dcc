"""A handful of rows in the E2E NLG layout, written for these tests."""

from pathlib import Path

MR = "name[{name}], eatType[{kind}], food[{food}], area[{area}], near[{near}]"
TEXT = "{name} is a {kind} near {near} in the {area} area that serves {food} food."
NAMES = ("The Old Anchor", "Bella Luna", "Green Gate", "Corner House")


def write_e2e(folder: Path, rows: int = 120) -> Path:
    """Both splits as CSV; every fourth text says more than its record."""
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "dev"):
        lines = ["mr,ref"]
        for number in range(rows):
            values = {
                "name": NAMES[number % 4],
                "kind": ("pub", "restaurant", "coffee shop")[number % 3],
                "food": ("Italian", "French", "Indian", "English", "Chinese")[number % 5],
                "area": ("riverside", "city centre")[number % 2],
                "near": NAMES[(number + 1) % 4],
            }
            text = TEXT.format(**values) + (" It is cheap." if number % 4 == 0 else "")
            lines.append(f'"{MR.format(**values)}","{text}"')
        (folder / f"original_{split}.csv").write_text("\n".join(lines), encoding="utf-8")
    return folder
