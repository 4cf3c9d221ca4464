"""Folders of anybody's pictures: one set of rules, whether they are trained on or scored.

Which files. All below the folder, linked folders too (`places.survey`), but for what is hidden. A folder
around everything is looked through. What neither is called a picture nor is one is passed over; what is
called a picture and cannot be read is unusable.

Which part. Folders ``train`` (or ``training``) and ``test`` (``testing``, ``held-out``), else ``val``
(``valid``, ``validation``, ``dev``), in capitals or not, are the splits. Anything else beside them is passed
over. Without ``train`` there are none, and all is one set.

Which pixels. As a viewer shows them (`pixels.upright`): turned as EXIF says, transparency on white; colour
profiles are not applied. They are grey if red, green and blue are equal in all pixels of all pictures,
however they were saved; else a grey one has three equal channels. More than 8 bits, several frames and absurd
sizes are unusable.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmark.data import pixels, places
from benchmark.data.sources.pictures import Unusable
from benchmark.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from PIL import Image

_SUFFIX = re.compile(r"\.(bmp|dib|gif|jfif|jp2|jpe?g?|p[bgnp]m|png|tiff?|webp)", re.IGNORECASE)
_TRAIN = ("train", "training")
_TEST = ("test", "testing", "held-out", "held_out", "heldout")
_VALIDATION = ("val", "valid", "validation", "dev")
_ROLES = {name: names[0] for names in (_TRAIN, _TEST, _VALIDATION) for name in names}
_UNDERSTOOD = "Understood are a folder train with a folder test, or val (valid, validation, dev), beside it"
_NAMED = 3
Files = list[tuple[str, "Path"]]
Heads = dict[str, tuple[bool, tuple[int, int]] | None]


@dataclass
class Pictures:
    """What a folder has, and the account of what becomes of it.

    Attributes:
        path: the folder.
        train: (relative name, file) in the order of the names; all pictures where there are no splits.
        held_out: those of the other split.
        names: what the folders of the splits are called, by `train` and `held-out`; empty without splits.
        depth: folders around a picture that stand for no class.
        heads: whether a picture's mode is grey, and its (width, height), by relative name; None if it
            cannot be read.
        passed_over: files that are no pictures, or in no split: how many, by kind.
        changed: pictures that are not taken as they are: how many, by kind.
        unusable: pictures that cannot be taken.

    """

    path: Path
    train: Files
    held_out: Files
    names: dict[str, str]
    depth: int
    heads: Heads
    passed_over: dict[str, int]
    changed: Counter[str] = field(default_factory=Counter)
    unusable: Unusable = field(default_factory=Unusable)

    def sizes(self) -> list[tuple[tuple[int, int], int]]:
        """(width, height) and how many pictures have it, the most frequent first."""
        return Counter(head[1] for head in self.heads.values() if head).most_common()

    def fits(self, relative: str, size: tuple[int, int] | None) -> bool:
        """Whether a picture has this (width, height), as far as its header tells; else it is unusable."""
        head = self.heads[relative]
        if head is None or size is None or head[1] == size:
            return True
        self.unusable.add(f"of another size than most, {_by(size)}", relative, _by(head[1]))
        return False

    def has_colour(self) -> bool:
        """Whether any picture has; decodes them until one is found."""
        for relative, file in (*self.train, *self.held_out):
            head = self.heads[relative]
            if head and not head[0]:
                try:
                    if pixels.has_colour(pixels.upright(file)[0]):
                        return True
                except pixels.BrokenImage:  # told when it is to be used
                    continue
        return False

    def picture(self, file: Path, colour: bool, size: tuple[int, int] | None) -> Image.Image:
        """Decode a picture, in mode ``RGB`` if there is colour, else ``L``; what that changed is counted.

        `size` is the (width, height) that it must have, if any.

        Raises:
            BrokenImage: it cannot be used.

        """
        image, changes = pixels.upright(file)
        if size not in (None, image.size):  # its header did not tell
            raise pixels.BrokenImage(f"is {_by(image.size)} when upright")
        self.changed.update(changes)
        if colour and image.mode == "L":
            self.changed["grey among coloured ones, given three equal channels"] += 1
        elif not colour and image.mode == "RGB":
            self.changed["saved in colour but grey"] += 1
        return image.convert("RGB" if colour else "L")

    def account(self) -> list[str]:
        """What was passed over and what was changed, as parts of a line."""
        kinds = {"passed over": self.passed_over, "changed": self.changed}
        return [f"{what}: {counted(counts)}" for what, counts in kinds.items() if counts]


def counted(counts: Mapping[str, int]) -> str:
    """``2 hidden, 1 other files``."""
    return ", ".join(f"{count} {kind}" for kind, count in counts.items())


def look(path: Path) -> Pictures:
    """Find the pictures of a folder and read their headers.

    Raises:
        UserError: there is no folder, or folders whose part cannot be told.

    """
    if not path.is_dir():
        raise places.no_folder(path)
    files, passed_over = places.survey(path)
    heads: Heads = {}
    others = Counter[str]()
    for relative, file in files:
        try:
            heads[relative] = pixels.head(file)
        except pixels.BrokenImage:
            if _SUFFIX.fullmatch(file.suffix):
                heads[relative] = None  # the decoder says what is wrong
            else:
                others[file.suffix.lower() or "no suffix"] += 1
    if others:
        kinds = [suffix for suffix, _ in others.most_common(_NAMED)]
        passed_over[f"other files ({', '.join(kinds)}{', …' if len(others) > _NAMED else ''})"] = (
            others.total()
        )
    return _parted(path, [(r, f) for r, f in files if r in heads], heads, passed_over)


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _parted(path: Path, files: Files, heads: Heads, passed_over: dict[str, int]) -> Pictures:
    """Tell the splits."""
    around = _around(files)
    depth = around.count("/")
    tops = _roles(path, files, depth)
    several = len({_folder(relative, depth) for relative, _ in files}) > 1
    if tops and "train" not in tops and several:
        name = next(iter(tops.values()))
        raise UserError(f"has a folder '{name}' but none called train", where=str(path), do=_UNDERSTOOD)
    if not tops:
        _check_one_set(path, files, depth + 1)
        return Pictures(path, files, [], {}, depth, heads, passed_over)
    names = {"train": tops.get("train") or next(iter(tops.values()))}
    if len(tops) > 1:
        names["held-out"] = tops["test" if "test" in tops else "val"]
    parts: dict[str, Files] = {name: [] for name in names.values()}
    beside = Counter[str]()
    for relative, file in files:
        top = _folder(relative, depth)
        if top in parts:
            parts[top].append((relative, file))
        else:
            beside[f"in folder {places.shown(top)}" if top else "in no folder"] += 1
    used = {relative: heads[relative] for part in parts.values() for relative, _ in part}
    train, *other = parts.values()
    return Pictures(path, train, other[0] if other else [], names, depth + 1, used, {**passed_over, **beside})


def _roles(path: Path, files: Files, depth: int) -> dict[str, str]:
    """The folders at a depth that are called like a split, by the role they have."""
    tops: dict[str, str] = {}
    for top in sorted({_folder(relative, depth) for relative, _ in files}):
        role = _ROLES.get(top.casefold())
        if role in tops:
            raise UserError(f"both '{tops[role]}' and '{top}' are there", where=str(path), do="Merge them")
        if role:
            tops[role] = top
    return tops


def _folder(relative: str, depth: int) -> str:
    """The folder of a relative name at a depth; empty where there is none."""
    folders = relative.split("/")[:-1]
    return folders[depth] if depth < len(folders) else ""


def _around(files: Files) -> str:
    """The folders around all files, ``a/b/``, up to one that is called like a split."""
    found = ""
    while True:
        tops = {_folder(relative, found.count("/")) for relative, _ in files}
        top = next(iter(tops), "")
        if len(tops) != 1 or not top or top.casefold() in _ROLES:
            return found
        found += f"{top}/"


def _check_one_set(path: Path, files: Files, depth: int) -> None:
    """Refuse splits inside class folders, which would be merged."""
    roles = {_ROLES.get(_folder(relative, depth).casefold()) for relative, _ in files} - {None}
    if "train" in roles and len(roles) > 1:
        raise UserError("has its splits inside other folders", where=str(path), do=_UNDERSTOOD)
