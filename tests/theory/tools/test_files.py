"""No file is ever there in part, and no good old file is lost."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from georecall.theory.tools.files import replacing


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_nothing_is_seen_under_the_name_before_the_end(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.parent == tmp_path
    assert path.read_text() == "new"
    assert names(tmp_path) == ["f"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, OSError(28, "No space left on device")])
@pytest.mark.parametrize("old", ["old", None])
def test_an_error_halfway_leaves_what_was_there(
    tmp_path: Path, error: BaseException, old: str | None
) -> None:
    path = tmp_path / "f"
    if old is not None:
        path.write_text(old)

    def write() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises((RuntimeError, KeyboardInterrupt, OSError)):
        write()
    assert names(tmp_path) == ([] if old is None else ["f"])
    assert old is None or path.read_text() == old


def test_errors_name_the_file_that_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "missing" / "f", tmp_path / "file" / "f"):
        with pytest.raises((FileNotFoundError, NotADirectoryError)) as caught, replacing(path):
            pass
        assert caught.value.filename == str(path)
        assert ".tmp" not in str(caught.value)
    with pytest.raises(IsADirectoryError, match=tmp_path.name), replacing(tmp_path):
        pass
    with pytest.raises(OSError, match="28") as full, replacing(tmp_path / "g"):
        raise OSError(28, "No space left on device")
    assert str(full.value) == f"[Errno 28] No space left on device: '{tmp_path / 'g'}'"


def test_an_error_about_another_file_keeps_its_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught, replacing(tmp_path / "f"):
        (tmp_path / "input").read_text()
    assert caught.value.filename == str(tmp_path / "input")


def test_new_files_have_the_permissions_of_any_other_and_old_ones_keep_theirs(tmp_path: Path) -> None:
    plain, new, old = (tmp_path / name for name in ("plain", "new", "old"))
    plain.touch()
    old.touch()
    old.chmod(0o640)
    for path in (new, old):
        with replacing(path) as temporary:
            temporary.write_text("x")
    assert new.stat().st_mode == plain.stat().st_mode
    assert old.stat().st_mode & 0o777 == 0o640


def test_a_file_that_is_protected_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f"
    path.write_text("old")
    monkeypatch.setattr(os, "access", lambda *_: False)  # as for anyone but root after chmod 444
    with pytest.raises(PermissionError, match=str(path)), replacing(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "old"


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    with replacing(link) as temporary:
        temporary.write_text("new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_what_is_no_file_is_written_to_directly() -> None:
    with replacing(os.devnull) as temporary:
        temporary.write_text("x")
    assert not Path(os.devnull).is_file()


def test_standard_output_is_written_to_though_it_be_a_file(tmp_path: Path) -> None:
    code = "from georecall.theory.tools.files import replacing\n"
    code += "with replacing('/dev/stdout') as t: t.write_text('x')"
    shown = tmp_path / "shown"
    with shown.open("w") as stream:
        before = os.fstat(stream.fileno()).st_ino
        subprocess.run([sys.executable, "-c", code], stdout=stream, check=True)
    assert (shown.read_text(), shown.stat().st_ino) == ("x", before)


def test_a_name_as_long_as_names_may_be(tmp_path: Path) -> None:
    path = tmp_path / ("ü" * 127)  # 254 bytes
    with replacing(path) as temporary:
        temporary.write_text("x")
    assert names(tmp_path) == ["ü" * 127]


def test_a_file_larger_than_there_is_room_for(tmp_path: Path) -> None:
    """The limit on file sizes stands in for a full disk: the write itself fails."""
    code = (
        "import resource, sys; sys.dont_write_bytecode = True\n"  # Python keeps what was cut short
        "from georecall.theory.tools.files import replacing\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "with replacing(sys.argv[1]) as temporary: temporary.write_bytes(bytes(10000))"
    )
    path = tmp_path / "f"
    path.write_text("old")
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.endswith(f"File too large: '{path}'\n")
    assert names(tmp_path) == ["f"]
    assert path.read_text() == "old"
