"""Official checkpoints, downloaded or looked for."""

from __future__ import annotations

from pathlib import Path

from motionrft.cli.app import app


@app.command
def fetch(name: str | None = None, /, *, to: Path = Path("official"), check: bool = False) -> int:
    """Download official checkpoints, or say what is there of them.

    Without a name: all of them, and which are there. A download that was
    interrupted is gone on with. What its owners give on a page only is named
    with that page; the same command then says whether it lies right. Exits
    with 1 while a file is missing.

    For example:
        python -m motionrft fetch
        python -m motionrft fetch reward --to official
        python -m motionrft fetch mdm --check

    Parameters
    ----------
    name
        Which one, a file of config/official.
    to
        Folder that they go to.
    check
        Download nothing.
    """
    from motionrft.official_files import download, names, official_set

    if name is None:
        for each in names():
            known = official_set(each)
            absent = sum(bool(file.state(to)) for file in known.files)
            there = f"{len(known.files) - absent} of {len(known.files)} files there"
            print(f"{each:<16} {known.what} ({known.licence}): {there}")
        return 0
    chosen = official_set(name)
    print(f"{chosen.what}\nfrom {chosen.source}\nlicence: {chosen.licence}")
    lacking = 0
    for file in chosen.files:
        path, problem = to / file.path, file.state(to)
        unchecked = "" if file.sha256 else ", no sha256 is known to compare with"
        if not problem:
            print(f"there: {path}{unchecked}")
        elif file.url and not check:
            found = download(file, to)
            print(f"fetched: {path} (sha256 {found}{unchecked})")
        else:
            lacking += 1
            print(f"missing: {path} ({problem}; {file.size})")
            if file.page:
                unpack = f", unpack it in {to / file.unzip}" if file.unzip else ""
                print(f"  download it at {file.page}{unpack}")
            else:
                print(f"  {file.url}")
    if not lacking:
        print(f"a run reads it as {chosen.used(to)}")
    return int(bool(lacking))
