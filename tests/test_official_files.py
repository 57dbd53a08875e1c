"""Downloads from a server of this machine: whole, resumed, refused; and the registry itself."""

from __future__ import annotations

import hashlib
import http.server
import io
import threading
import zipfile

import pytest
import yaml

from motionrft.cli import main
from motionrft.configuration import ROOT, available, part
from motionrft.errors import InputError
from motionrft.official_files import OfficialFile, download, names, official_set

CONTENT = bytes(range(256)) * 12_000  # three megabytes


class Server(http.server.BaseHTTPRequestHandler):
    """`files` by path. cut: bytes after which the connection ends; etag: None for a server that gives none."""

    files: dict[str, bytes]
    cut: int | None
    etag: str | None
    asked: list[str | None]

    def do_GET(self):
        content = self.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        wanted, begin = self.headers.get("Range"), 0
        self.asked.append(wanted)
        if wanted and self.headers.get("If-Range") == self.etag:
            begin = int(wanted.removeprefix("bytes=").removesuffix("-"))
        rest = content[begin:]
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(rest)))
        if self.etag:
            self.send_header("ETag", self.etag)
        self.end_headers()
        self.wfile.write(rest[: self.cut])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    class Here(Server):
        files, cut, etag, asked = {"/model.ckpt": CONTENT}, None, '"one"', []

    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Here)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    Here.address = f"http://127.0.0.1:{running.server_address[1]}"
    yield Here
    running.shutdown()
    running.server_close()


def file_at(server, **facts):
    return OfficialFile(path="some/model.ckpt", url=f"{server.address}/model.ckpt", **facts)


def test_a_download_is_whole_or_not_there(server, tmp_path):
    file = file_at(server, sha256=hashlib.sha256(CONTENT).hexdigest())
    assert file.state(tmp_path) == "no such file"
    assert download(file, tmp_path) == file.sha256
    assert (tmp_path / file.path).read_bytes() == CONTENT
    assert [path.name for path in (tmp_path / "some").iterdir()] == ["model.ckpt"]
    assert file.state(tmp_path) == ""
    (tmp_path / file.path).write_bytes(CONTENT[:-1])
    assert "sha256" in file.state(tmp_path)


def test_an_interrupted_download_goes_on(server, tmp_path):
    file = file_at(server)
    server.cut = 1_500_000
    with pytest.raises(InputError, match="ended after 1500000 of 3072000 bytes"):
        download(file, tmp_path)
    assert not (tmp_path / file.path).exists()
    assert (tmp_path / "some/model.ckpt.part").stat().st_size == 1_500_000
    server.cut = None
    download(file, tmp_path)
    assert server.asked == [None, "bytes=1500000-"]
    assert (tmp_path / file.path).read_bytes() == CONTENT


@pytest.mark.parametrize("etag", ['"two"', None])
def test_a_rest_of_another_file_is_not_appended(server, tmp_path, etag):
    """The file at the address has changed, or the server cannot say that it has not."""
    server.etag = etag and '"one"'
    server.cut = 1_500_000
    with pytest.raises(InputError):
        download(file_at(server), tmp_path)
    server.cut, server.etag = None, etag
    server.files["/model.ckpt"] = CONTENT[::-1]
    download(file_at(server), tmp_path)
    assert (tmp_path / "some/model.ckpt").read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize(
    ("content", "facts", "said"),
    [
        (b"<!DOCTYPE html><html>log in</html>", {}, "an HTML page"),
        (CONTENT, {"sha256": "0" * 64}, "its sha256 is"),
    ],
)
def test_what_is_not_the_file_is_refused(server, tmp_path, content, facts, said):
    server.files["/model.ckpt"] = content
    with pytest.raises(InputError, match=said):
        download(file_at(server, **facts), tmp_path)
    assert not [*(tmp_path / "some").iterdir()]


def test_no_server_and_no_file_are_one_line(server, tmp_path):
    with pytest.raises(InputError, match="the server answers 404"):
        download(OfficialFile(path="a", url=f"{server.address}/nothing"), tmp_path)
    with pytest.raises(InputError, match="no connection"):
        download(OfficialFile(path="a", url="http://127.0.0.1:9/a"), tmp_path)


def archive(*members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as content:
        for name, data in members:
            content.writestr(name, data)
    return stream.getvalue()


def test_an_archive_is_unpacked_inside_its_folder(server, tmp_path):
    server.files["/model.ckpt"] = archive(("run/model.ckpt", CONTENT), ("run/opt.txt", b"a"))
    file = file_at(server, unzip="set")
    file = OfficialFile(path="set/run/model.ckpt", url=file.url, unzip="set")
    download(file, tmp_path)
    assert (tmp_path / "set/run/model.ckpt").read_bytes() == CONTENT
    assert sorted(path.name for path in (tmp_path / "set/run").iterdir()) == [
        "model.ckpt",
        "opt.txt",
    ]
    server.files["/model.ckpt"] = archive(("../../escaped", b"a"))
    with pytest.raises(InputError, match="outside of its folder"):
        download(OfficialFile(path="other/a", url=file.url, unzip="other"), tmp_path / "deep")
    assert not (tmp_path / "escaped").exists()


def test_the_command(server, tmp_path, monkeypatch, capsys):
    registry = tmp_path / "registry" / "config" / "official"
    registry.mkdir(parents=True)
    files = [
        {"path": "set/a.ckpt", "url": f"{server.address}/model.ckpt", "mb": 3},
        {"path": "set/b.ckpt", "page": "https://example.org/b", "mb": 1500},
    ]
    facts = {"what": "two files", "source": "https://example.org", "licence": "free"}
    entry = {**facts, "use": "backbones.mdm.checkpoint: {0}", "files": files}
    (registry / "pair.yaml").write_text(yaml.safe_dump(entry))
    monkeypatch.setattr("motionrft.configuration.files.ROOT", tmp_path / "registry")
    to = tmp_path / "official"
    command = ["fetch", "pair", "--to", str(to)]
    assert main([*command, "--check"]) == 1
    assert capsys.readouterr().out.count("missing: ") == 2
    assert not server.asked
    assert main(command) == 1
    said = capsys.readouterr().out
    assert "licence: free" in said
    assert f"fetched: {to / 'set/a.ckpt'}" in said
    assert "no sha256 is known to compare with" in said
    assert "1.5 GB" in said
    assert "download it at https://example.org/b" in said
    (to / "set/b.ckpt").write_bytes(b"weights")
    assert main(command) == 0
    assert f"backbones.mdm.checkpoint: {to / 'set/a.ckpt'}" in capsys.readouterr().out
    assert len(server.asked) == 1
    assert main(["fetch", "--to", str(to)]) == 0
    assert "2 of 2 files there" in capsys.readouterr().out
    assert main(["fetch", "pairs"]) == 2
    assert "did you mean pair?" in capsys.readouterr().err


def test_the_registry_is_whole():
    assert {"mdm", "mld", "acmdm", "hymotion", "reward", "evaluator-t2m"} <= set(names())
    for name in names():
        chosen = official_set(name)
        assert chosen.licence
        assert chosen.source.startswith("https://")
        for file in chosen.files:
            assert (file.url or file.page).startswith("https://")
            assert file.path.startswith(file.unzip)
        assert "{" not in chosen.used(ROOT)


def test_every_official_checkpoint_of_a_backbone_can_be_fetched():
    paths = [file.path for name in names() for file in official_set(name).files]
    for backbone in available("backbones"):
        for size in part("backbones", backbone, "test")["sizes"].values():
            for official in size.get("official", {}).values():
                assert any(path.endswith(official["file"]) for path in paths), official["file"]
