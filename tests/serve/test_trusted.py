"""Servers that trust keys: whatever none of them has signed answers nothing, however it was forged."""

import base64
import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from siklus.bundle.manifest import FILE_NAME
from siklus.bundle.sign import put_signatures
from siklus.bundle.signatures import MAX_BYTES, SIGNATURE_FILE, TrustedKeys, read_signatures
from siklus.bundle.write import digest_of
from siklus.project.sections import Records, Serve
from siklus.registry.policy import PolicyArm
from siklus.serve.__main__ import main
from siklus.serve.options import words_of
from siklus.serve.traffic.following import Follower
from tests.bundle.signers import Signer, signer
from tests.figures import Figure
from tests.serve.published import ANSWER, ROW, eventually, publish, serving_state, version_in
from tests.serve.servers import START_SECONDS, serving_bundle, start

FLIPS = 8  # single bits, in each file


@dataclass(frozen=True)
class Forgery:
    """``forge`` changes a bundle that a trusted key has signed; a policy then names what came out."""

    name: str
    forge: Callable[[Path], None]


@pytest.fixture
def anna(tmp_path: Path) -> Signer:
    return signer(tmp_path, "anna")


@pytest.fixture
def stranger(tmp_path: Path) -> Signer:
    return signer(tmp_path, "stranger")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    made = tmp_path / "state"
    made.mkdir()
    return made


def signed_in(state: Path, number: int, by: Signer) -> PolicyArm:
    arm = version_in(state, number)
    by.sign(state / "bundles" / arm.digest)
    return arm


@contextmanager
def trusting(state: Path, keys: TrustedKeys) -> Iterator[Follower]:
    follower = Follower(state, prepare=lambda _bundle: None, trusted=keys)
    follower.start()
    try:
        yield follower
    finally:
        follower.close()


def refused(follower: Follower) -> bool:
    pending = follower.models.pending
    return pending is not None and pending.code is not None


def forgeries(signed: Path, other: Path, stranger: Signer) -> Iterator[Forgery]:
    """Every way. ``other``: another bundle of the trusted signer's."""
    chance = random.Random(6)
    for name in (FILE_NAME, SIGNATURE_FILE):
        size = (signed / name).stat().st_size
        for _ in range(FLIPS):
            yield Forgery(f"a bit of {name}", partial(_flip, name=name, bit=chance.randrange(size * 8)))
        for kept in (0, 1, size // 2, size - 3):
            yield Forgery(f"{kept} bytes of {name}", partial(_cut, name=name, kept=kept))
    for bit in range(0, 512, 32):
        yield Forgery(f"bit {bit} of the signature itself", partial(_flip_signature, bit=bit))
    yield Forgery("signature removed", lambda path: (path / SIGNATURE_FILE).unlink())
    yield Forgery("no signers", partial(_document, signatures=[]))
    yield Forgery("of another bundle", partial(_moved, other))
    yield Forgery("signed by a stranger", partial(_by, stranger))
    yield Forgery("a stranger under the trusted id", partial(_swapped, stranger))
    yield Forgery("another manifest", partial(_manifest, old=b'"flights"', new=b'"flighty"'))
    yield Forgery("a space in the manifest", partial(_manifest, old=b"{", new=b"{ "))
    yield Forgery("oversize", _oversize)
    yield Forgery("a link", _link)
    yield Forgery("a directory", _directory)
    yield Forgery("a pipe", _pipe)


def _flip(path: Path, *, name: str, bit: int) -> None:
    raw = bytearray((path / name).read_bytes())
    raw[bit // 8] ^= 1 << bit % 8
    (path / name).write_bytes(raw)


def _cut(path: Path, *, name: str, kept: int) -> None:
    (path / name).write_bytes((path / name).read_bytes()[:kept])


def _document(path: Path, *, signatures: list[dict[str, str]]) -> None:
    (path / SIGNATURE_FILE).write_text(json.dumps({"format": 1, "signatures": signatures}))


def _flip_signature(path: Path, *, bit: int) -> None:
    [found] = json.loads((path / SIGNATURE_FILE).read_text())["signatures"]
    raw = bytearray(base64.b64decode(found["signature"]))
    raw[bit // 8] ^= 1 << bit % 8
    _document(path, signatures=[found | {"signature": base64.b64encode(raw).decode()}])


def _moved(other: Path, path: Path) -> None:
    shutil.copy(other / SIGNATURE_FILE, path / SIGNATURE_FILE)


def _by(stranger: Signer, path: Path) -> None:
    (path / SIGNATURE_FILE).unlink()
    stranger.sign(path)


def _swapped(stranger: Signer, path: Path) -> None:
    [trusted] = read_signatures(path)
    _by(stranger, path)
    [made] = json.loads((path / SIGNATURE_FILE).read_text())["signatures"]
    _document(path, signatures=[made | {"key": trusted.key}])


def _manifest(path: Path, *, old: bytes, new: bytes) -> None:
    raw = (path / FILE_NAME).read_bytes()
    assert old in raw
    (path / FILE_NAME).write_bytes(raw.replace(old, new, 1))


def _oversize(path: Path) -> None:
    (path / SIGNATURE_FILE).write_bytes(b" " * (MAX_BYTES + 1))


def _link(path: Path) -> None:
    (path / SIGNATURE_FILE).rename(path.parent / "outside")
    (path / SIGNATURE_FILE).symlink_to(path.parent / "outside")


def _directory(path: Path) -> None:
    (path / SIGNATURE_FILE).unlink()
    (path / SIGNATURE_FILE).mkdir()


def _pipe(path: Path) -> None:
    (path / SIGNATURE_FILE).unlink()
    os.mkfifo(path / SIGNATURE_FILE)


def test_nothing_forged_ever_answers(
    state: Path, tmp_path: Path, anna: Signer, stranger: Signer, figure: Figure
) -> None:
    """All at once: version 1 answers, then a policy names what was made of version 2, by its own digest."""
    good, victim, other = (signed_in(state, number, anna) for number in (1, 2, 3))
    bundles = state / "bundles"
    ways = list(forgeries(bundles / victim.digest, bundles / other.digest, stranger))
    with ExitStack() as open_ones:
        followers = []
        for i, way in enumerate(ways):
            own = tmp_path / f"{i}" / "bundles"
            shutil.copytree(bundles / good.digest, own / good.digest)
            shutil.copytree(bundles / victim.digest, own / "copy")
            way.forge(own / "copy")
            digest = digest_of(own / "copy")
            (own / "copy").rename(own / digest)
            publish(own.parent, 1, good)
            follower = open_ones.enter_context(trusting(own.parent, anna.trusted))
            followers.append((way, own.parent, digest, follower))
        for _, home, digest, follower in followers:
            eventually(lambda each=follower: each.models.lineup is not None, what="the good one is silent")
            publish(home, 2, PolicyArm(name="champion", version=2, share=1.0, digest=digest))
        for way, _, _, follower in followers:
            eventually(partial(refused, follower), what=f"{way.name} was not refused")
            lineup = follower.models.current()
            assert (lineup.revision, lineup.champion.served.bundle.version) == (1, "1"), way.name
    figure(f"{len(ways)} forged or unsigned bundles published, of which answered", "0")
    assert len(ways) >= 50


def test_at_the_start_it_answers_nothing_either(state: Path, anna: Signer) -> None:
    publish(state, 1, version_in(state, 1))
    with trusting(state, anna.trusted) as follower:
        eventually(lambda: follower.models.state == "failed", what="it was not refused")
        assert follower.models.lineup is None


def test_what_answered_last_must_be_signed_too(state: Path, anna: Signer, stranger: Signer) -> None:
    """Whoever was trusted once and is not any more has no answer left to fall back to."""
    publish(state, 1, signed_in(state, 1, stranger))
    with trusting(state, stranger.trusted) as follower:
        eventually(lambda: follower.models.lineup is not None, what="it never answered")
    with trusting(state, anna.trusted) as follower:
        eventually(lambda: follower.models.state == "failed", what="it was not refused")
        assert follower.models.lineup is None


def test_a_shadow_must_be_signed_as_well(state: Path, anna: Signer) -> None:
    good, shadow = signed_in(state, 1, anna), version_in(state, 2)
    publish(state, 1, good)
    with trusting(state, anna.trusted) as follower:
        eventually(lambda: follower.models.lineup is not None, what="it never answered")
        beside = PolicyArm(name="next", version=2, share=0.0, digest=shadow.digest)
        publish(state, 2, good, shadows=(beside,))
        eventually(partial(refused, follower), what="the shadow was taken")
        assert follower.models.current().revision == 1


def test_a_signature_that_comes_later_is_seen(state: Path, anna: Signer) -> None:
    arm = version_in(state, 1)
    publish(state, 1, arm)
    with trusting(state, anna.trusted) as follower:
        eventually(partial(refused, follower), what="it was not refused")
        anna.sign(state / "bundles" / arm.digest)
        eventually(lambda: follower.models.lineup is not None, what="the signature was not seen")


def test_one_of_several_trusted_keys_is_enough(state: Path, anna: Signer, stranger: Signer) -> None:
    publish(state, 1, signed_in(state, 1, stranger))
    with trusting(state, TrustedKeys((anna.known, stranger.known))) as follower:
        eventually(lambda: follower.models.lineup is not None, what="it never answered")


def test_a_garbage_signature_beside_a_trusted_one_harms_nothing(
    state: Path, anna: Signer, stranger: Signer
) -> None:
    arm = signed_in(state, 1, anna)
    path = state / "bundles" / arm.digest
    stranger.sign(path)
    garbled = [
        each if each.key == anna.known.id else type(each)(key=each.key, signature=bytes(64))
        for each in read_signatures(path)
    ]
    put_signatures(path, garbled)
    publish(state, 1, arm)
    with trusting(state, anna.trusted) as follower:
        eventually(lambda: follower.models.lineup is not None, what="it never answered")


def test_a_server_asks_for_signatures(state: Path, anna: Signer) -> None:
    """As a process: a swap to an unsigned version is refused, told in its log and in /ready; a signed one
    answers."""
    publish(state, 1, signed_in(state, 1, anna))
    with serving_state(state, "--trusted-keys", str(anna.public)) as server:
        unsigned = version_in(state, 2)
        publish(state, 2, unsigned)
        eventually(lambda: b"BN015" in server.client.get("/health").content, what="health says nothing of it")
        assert server.predict(ROW)["prediction"] == pytest.approx(ANSWER)
        publish(state, 3, signed_in(state, 3, anna))
        eventually(lambda: server.predict(ROW)["version"] == "3", what="the signed one never answered")
        assert server.predict(ROW)["prediction"] == pytest.approx(3 * ANSWER)


def test_a_pinned_bundle_must_be_signed(state: Path, anna: Signer) -> None:
    path = state / "bundles" / version_in(state, 1).digest
    trusted = ["--trusted-keys", str(anna.public)]
    process = start("-m", "siklus.serve", "--bundle", str(path), "--port", "0", *trusted)
    _, said = process.communicate(timeout=START_SECONDS)
    assert process.returncode != 0
    assert "BN015" in said
    anna.sign(path)
    with serving_bundle(path, *trusted) as server:
        assert server.predict(ROW)["prediction"] == pytest.approx(ANSWER)


@pytest.mark.parametrize("name", ["gone.pub", "broken.pub", "anna"])
def test_with_a_broken_key_file_there_is_no_start(
    state: Path, tmp_path: Path, anna: Signer, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.pub").write_text("-----BEGIN PUBLIC KEY-----\n")
    path = anna.sign(state / "bundles" / version_in(state, 1).digest)
    words = ["--bundle", str(path), "--port", "0", "--trusted-keys", str(anna.public)]
    assert main([*words, "--trusted-keys", str(tmp_path / name)]) == 2
    assert "BN018" in capsys.readouterr().err


def test_the_keys_are_handed_to_the_server_one_by_one() -> None:
    words = words_of(Serve(trusted_keys=("a.pub", "b c.pub")))
    assert words[words.index("--trusted-keys") :][:4] == [
        "--trusted-keys",
        "a.pub",
        "--trusted-keys",
        "b c.pub",
    ]
    assert "--trusted-keys" not in words_of(Serve()) + words_of(Records())
