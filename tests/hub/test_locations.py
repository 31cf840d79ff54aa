"""From a model's name to its folders: the user's, or the Hub's cache. Nothing here asks the network."""

import json
import shutil
from pathlib import Path

import pytest

from tempo_cli import Tempo
from tempo_cli.config import FrameShape, LoadOptions, PixelLimits, SamplingOptions
from tempo_cli.errors import ModelError, NotDownloadedError
from tempo_cli.hub.inventory import inventory, model_state
from tempo_cli.hub.locations import (
    BaseLocation,
    ModelLocation,
    check_downloaded,
    find_base,
    find_model,
    read_shape,
    router_file,
)
from tempo_cli.model.checkpoint import Checkpoint

from .fixtures import GOLDEN

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TEMPO = GOLDEN / "checkpoints" / "a" / "Tempo-tiny"
BASE = GOLDEN / "checkpoints" / "a" / "Qwen3-VL-tiny"


@pytest.fixture(autouse=True)
def no_network(hub):
    """Not one connection is opened in any of these tests."""
    yield
    assert hub.connections == 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the tiny model with its base beside it."""
    for source in (TEMPO, BASE):
        shutil.copytree(source, tmp_path / "models" / source.name)
    return tmp_path / "models" / TEMPO.name


def edit(path: Path, **fields) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def base_of(folder: Path) -> Path:
    return folder.parent / BASE.name


def test_a_base_beside_the_model_is_found(folder):
    location = find_model(str(folder))
    assert location == ModelLocation(str(folder), folder, None)
    assert Checkpoint.base_name(folder) == "./Qwen3-VL-tiny"
    assert find_base(location, "./Qwen3-VL-tiny") == BaseLocation(
        "./Qwen3-VL-tiny", base_of(folder), None, None
    )


def test_a_hub_base_may_lie_beside_a_folder_of_the_users(folder):
    found = find_base(find_model(str(folder)), "Qwen/Qwen3-VL-tiny")
    assert found.path == base_of(folder)


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ("./checkpoints/Qwen3-VL-tiny", "work/checkpoints/Qwen3-VL-tiny"),
        ("checkpoints/Qwen3-VL-tiny", "work/checkpoints/Qwen3-VL-tiny"),  # not the Hub's repository
        ("../Qwen3-VL-tiny", "Qwen3-VL-tiny"),
        ("{root}/far/away", "far/away"),
        ("./checkpoints/Qwen3-VL-tiny", "models/Qwen3-VL-tiny"),  # by its last name
        ("/nowhere/Qwen3-VL-tiny", "models/Qwen3-VL-tiny"),
        ("Qwen/Qwen3-VL-tiny", "models/Qwen3-VL-tiny"),
        ("Qwen3-VL-tiny", "models/Qwen3-VL-tiny"),
        ("./Qwen3-VL-tiny", "work/Qwen3-VL-tiny"),
    ],
)
def test_a_base_is_found_as_written_or_beside_the_model(folder, tmp_path, monkeypatch, written, place):
    base_of(folder).rename(tmp_path / "base")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    name = written.format(root=tmp_path)
    location = find_model(str(folder))
    with pytest.raises(ModelError):
        find_base(location, name)
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / "base").rename(tmp_path / place)
    found = find_base(location, name)
    assert (found.id, found.revision, found.router) == (name, None, None)
    assert found.path.resolve() == tmp_path / place


def test_what_is_written_goes_before_what_lies_beside_and_a_sibling_before_that(
    folder, tmp_path, monkeypatch
):
    for place in ("checkpoints/Qwen3-VL-tiny", "Qwen3-VL-tiny"):
        shutil.copytree(BASE, tmp_path / place)
    monkeypatch.chdir(tmp_path)
    location = find_model(str(folder))
    written = find_base(location, "./checkpoints/Qwen3-VL-tiny").path
    assert written.resolve() == tmp_path / "checkpoints/Qwen3-VL-tiny"
    assert find_base(location, "./Qwen3-VL-tiny").path == base_of(folder)
    (tmp_path / "checkpoints/Qwen3-VL-tiny/config.json").unlink()  # some other folder of this name
    assert find_base(location, "./checkpoints/Qwen3-VL-tiny").path == base_of(folder)


def test_a_link_to_a_model_has_its_base_beside_the_link_or_beside_the_model(folder, tmp_path):
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / "model"
    link.symlink_to(folder)
    assert find_base(find_model(str(link)), "./Qwen3-VL-tiny").path == base_of(folder)
    base_of(folder).rename(tmp_path / "links" / "Qwen3-VL-tiny")
    assert find_base(find_model(str(link)), "./Qwen3-VL-tiny").path == tmp_path / "links" / "Qwen3-VL-tiny"


def test_a_path_to_a_base_leads_to_the_cache_at_last(cache, folder):
    shutil.rmtree(base_of(folder))
    location, name = find_model(str(folder)), "./checkpoints/Qwen3-VL-tiny"
    snapshot = store(cache, "Qwen/Qwen3-VL-tiny", BASE)
    assert find_base(location, name) == BaseLocation("Qwen/Qwen3-VL-tiny", snapshot, COMMIT, None)
    store(cache, "other/Qwen3-VL-tiny", BASE)  # now it is not clear which one is meant
    with pytest.raises(ModelError, match="does not exist"):
        find_base(location, name)


@pytest.mark.parametrize("name", ["", ".", "..", "/", "./", "a\0b", "x" * 5000, "*", "./*"])
def test_a_name_of_no_folder_is_an_error(folder, name, tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    with pytest.raises(ModelError):
        Checkpoint.open(folder, find_base(find_model(str(folder)), name).path)


def test_a_base_that_is_not_there_is_named(folder):
    with pytest.raises(ModelError) as caught:
        find_base(find_model(str(folder)), "./other")
    assert caught.value.message == "the base model './other' does not exist"
    assert caught.value.hint == (
        f"Put it beside {folder}, or name a Hub repository in config.json: Qwen/Qwen3-VL-2B-Instruct"
    )


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "./../x",
        "./x/y",
        "./x/../../x",
        "./..",
        "./",
        "./.",
        "/abs",
        "/abs/x",
        "~/x",
        "a/../b",
        "https://host/x",
        "x",
        "",
    ],
)
def test_a_configuration_from_the_hub_leads_to_no_folder(folder, name, monkeypatch):
    for place in (folder.parent, folder.parent.parent):
        (place / "x" / "y").mkdir(parents=True)  # a folder that each path would lead to
    monkeypatch.chdir(folder.parent)
    with pytest.raises(ModelError) as caught:
        find_base(ModelLocation("some/model", folder, COMMIT), name)
    assert caught.value.message == f"the base model '{name}' is not a Hub repository"
    assert caught.value.hint == "Don't use this model: its configuration can't be trusted."


def store(cache: Path, repository: str, source: Path, branch: str = "main") -> Path:
    """Put a folder into the cache as a downloaded repository; its snapshot is returned."""
    home = cache / f"models--{repository.replace('/', '--')}"
    snapshot = home / "snapshots" / COMMIT
    shutil.copytree(source, snapshot)
    (home / "refs").mkdir(exist_ok=True)
    (home / "refs" / branch).write_text(COMMIT, encoding="utf-8")
    return snapshot


@pytest.mark.parametrize(
    "name", ["./missing", "/missing/folder", "a/b/c", "missing", "-x/y", "a/b..c", "a b/c"]
)
def test_a_missing_folder_is_named(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError) as caught:
        find_model(name)
    assert caught.value.message == f"there is no model '{name}'"
    assert caught.value.hint == "Use nano, a folder, or a Hub repository such as Vision-CAIR/Tempo-6B."


@pytest.mark.parametrize(("revision", "more"), [(None, ""), ("v1.0", " --revision v1.0")])
def test_a_repository_that_is_not_downloaded_is_named_with_the_command_that_does_it(cache, revision, more):
    assert not cache.exists()
    with pytest.raises(ModelError) as caught:
        find_model("some/model", revision)
    assert caught.value.message == "the model some/model is not downloaded"
    assert caught.value.hint == f"Run: tempo pull some/model{more}"


def test_a_downloaded_repository_is_found_with_its_commit(cache):
    snapshot = store(cache, "some/model", GOLDEN / "checkpoints/a/Tempo-tiny")
    for revision in (None, "main", COMMIT):
        assert find_model("some/model", revision) == ModelLocation("some/model", snapshot, COMMIT)
    with pytest.raises(ModelError, match="the model some/model is not downloaded"):
        find_model("some/model", "other")


def test_a_downloaded_model_answers_like_the_folder(cache, folder, golden):
    edit(folder / "config.json", mm_vision_tower_aux_list=["some/base"])
    store(cache, "some/model", folder)
    store(cache, "some/base", base_of(folder))
    video, few = golden / "videos/pattern.mp4", SamplingOptions(max_frames=4)
    options = LoadOptions(device="cpu")
    hub = Tempo.load("some/model", options=options, decoder=False)
    local = Tempo.load(golden / "checkpoints/a/Tempo-tiny", options=options, decoder=False)
    assert (hub.info.id, hub.info.revision, local.info.revision) == ("some/model", COMMIT, None)
    with pytest.raises(NotDownloadedError, match="some/model is not downloaded"):
        Tempo.load("some/model", revision="other", options=options, decoder=False)
    assert read_shape("some/model", COMMIT) == hub.shape
    with pytest.raises(NotDownloadedError, match="some/model is not downloaded"):
        read_shape("some/model", "other")
    ours, theirs = (tempo.inspect(video, "what?", sampling=few) for tempo in (hub, local))
    assert ours.segments == theirs.segments


def test_a_model_from_the_hub_may_name_only_repositories(cache):
    store(cache, "some/model", GOLDEN / "checkpoints/a/Tempo-tiny")
    beside = cache / "models--some--model" / "snapshots" / "Qwen3-VL-tiny"
    shutil.copytree(GOLDEN / "checkpoints/a/Qwen3-VL-tiny", beside)
    with pytest.raises(ModelError) as caught:
        Tempo.load("some/model", options=LoadOptions(device="cpu"))
    assert caught.value.message == "the base model './Qwen3-VL-tiny' is not a Hub repository"


def test_a_folder_in_the_cache_beside_a_hub_model_is_not_its_base(cache):
    snapshot = store(cache, "some/model", GOLDEN / "checkpoints/a/Tempo-tiny")
    (snapshot.parent / "base").mkdir()
    with pytest.raises(ModelError, match="the base model some/base is not downloaded"):
        find_base(find_model("some/model"), "some/base")


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
@pytest.mark.parametrize("how", ["missing", "cut", "empty"])
def test_a_snapshot_that_is_not_whole_is_told_from_one_that_is(cache, name, how):
    snapshot = store(cache, "some/model", TEMPO)
    path = snapshot / name
    (snapshot / "vocab.json").unlink()  # or the older files would do
    if how == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[: 1000 if how == "cut" else 0])
    with pytest.raises(NotDownloadedError) as caught:
        find_model("some/model")
    assert caught.value.message.startswith(f"the model some/model is incomplete: {name}: ")
    assert caught.value.hint == "Run: tempo pull some/model (it continues)"


def test_one_missing_byte_of_the_weights_is_noticed(cache):
    snapshot = store(cache, "some/model", TEMPO)
    weights = snapshot / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(NotDownloadedError, match=r"model.safetensors: 2,105,071 bytes instead of 2,105,072"):
        find_model("some/model")


def test_a_missing_shard_is_named(cache):
    snapshot = store(cache, "some/model", TEMPO)
    (snapshot / "model.safetensors").rename(snapshot / "model-1.safetensors")
    homes = {"a": "model-1.safetensors", "b": "model-2.safetensors"}
    (snapshot / "model.safetensors.index.json").write_text(json.dumps({"weight_map": homes}))
    with pytest.raises(NotDownloadedError, match=r"model-2.safetensors: missing"):
        find_model("some/model")


@pytest.mark.parametrize(
    "target", ["../x.safetensors", "/x.safetensors", "a/model.safetensors", "model.bin", 5]
)
def test_an_index_names_files_beside_it_only(cache, target):
    snapshot = store(cache, "some/model", TEMPO)
    (snapshot / "model.safetensors").unlink()
    (snapshot / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": target}}))
    with pytest.raises(NotDownloadedError, match=r"model.safetensors.index.json: damaged"):
        find_model("some/model")


@pytest.mark.parametrize("revision", ["../x", "../../x", "a/../../x", "/x"])
def test_a_revision_is_no_way_out_of_the_cache(cache, tmp_path, revision):
    refs = store(cache, "some/model", TEMPO).parent.parent / "refs"
    (refs / "a").mkdir()
    wanted = f"{tmp_path}/x" if revision == "/x" else revision
    (refs / wanted).write_text(COMMIT)
    assert find_model("some/model").revision == COMMIT
    with pytest.raises(NotDownloadedError, match="is not downloaded"):
        find_model("some/model", wanted)


def test_a_base_without_weights_needs_the_rows(cache):
    snapshot = store(cache, "some/base", BASE)
    location = ModelLocation("some/model", cache, COMMIT)
    assert find_base(location, "some/base") == BaseLocation("some/base", snapshot, COMMIT, None)
    (snapshot / "model.safetensors").unlink()
    with pytest.raises(NotDownloadedError) as caught:
        find_base(location, "some/base")
    assert caught.value.message == "the router's rows of some/base are not downloaded"
    assert caught.value.hint == "Run: tempo pull some/model"
    rows = router_file("some/base", COMMIT)
    rows.parent.mkdir(parents=True)
    rows.write_bytes((2).to_bytes(8, "little") + b"{}")
    assert find_base(location, "some/base") == BaseLocation("some/base", snapshot, COMMIT, rows)
    (snapshot / "tokenizer.json").unlink()
    (snapshot / "vocab.json").unlink()
    with pytest.raises(
        NotDownloadedError, match=r"the base model some/base is incomplete: tokenizer.json: missing"
    ):
        find_base(location, "some/base")


def test_a_folder_of_the_users_may_need_a_base_from_the_hub(cache, folder):
    edit(folder / "config.json", mm_vision_tower_aux_list=["some/base"])
    with pytest.raises(NotDownloadedError) as caught:
        check_downloaded(str(folder))
    assert caught.value.hint == f"Run: tempo pull {folder}"
    state = model_state(str(folder))
    assert (state.complete, state.pullable) == (False, True)
    assert state.missing == ("the base model some/base is not downloaded",)
    store(cache, "some/base", BASE)
    check_downloaded(str(folder))
    assert model_state(str(folder)).complete


def test_what_is_here_is_told_without_the_network(cache, folder):
    edit(folder / "config.json", mm_vision_tower_aux_list=["some/base"])
    snapshot = store(cache, "some/model", folder)
    store(cache, "other/kind", BASE)
    (state,) = inventory()
    assert (state.id, state.revision, state.folder) == ("some/model", COMMIT, snapshot)
    assert state.bytes == sum(path.stat().st_size for path in snapshot.iterdir())
    assert (state.base, state.base_location, state.complete, state.pullable) == (
        "some/base",
        None,
        False,
        True,
    )
    assert state.missing == ("the base model some/base is not downloaded",)
    assert model_state("some/model") == state
    nothing = model_state("some/other")
    assert (nothing.folder, nothing.missing, nothing.pullable) == (None, ("not downloaded",), True)
    broken = model_state(str(BASE))
    assert not broken.complete
    assert "is not a Tempo model: its config.json says model_type 'qwen3_vl'" in broken.missing[0]


@pytest.mark.parametrize("name", ["a", "b"])
def test_the_shape_of_frames_is_read_without_loading(name):
    folder = GOLDEN / "checkpoints" / name
    checkpoint = Checkpoint.open(folder / "Tempo-tiny", folder / "Qwen3-VL-tiny")
    assert read_shape(str(folder / "Tempo-tiny")) == checkpoint.dimensions.shape


def test_nano_has_limits_of_its_own():
    assert read_shape("nano") == FrameShape(PixelLimits(96, 32, 4096, 6144), 32, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tempo": {"grid": 0}}, "tempo"),
        ({"tempo": {"edge": 5}}, "tempo.edge"),
        ({"tempo": []}, "tempo"),
    ],
)
def test_a_shape_that_makes_no_sense_is_an_error(folder, change, message):
    config = folder / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | change))
    with pytest.raises(ModelError) as caught:
        read_shape(str(folder))
    assert caught.value.message == f"the configuration of {folder} has no valid {message}"


def test_a_folder_without_a_configuration_has_no_shape(tmp_path):
    with pytest.raises(ModelError) as caught:
        read_shape(str(tmp_path))
    assert caught.value.message == f"{tmp_path} has no config.json"


def test_a_configuration_that_is_no_file_is_an_error_of_the_model(tmp_path):
    (tmp_path / "config.json").mkdir()
    with pytest.raises(ModelError, match="can't be read") as caught:
        read_shape(str(tmp_path))
    assert caught.value.message.startswith(f"the configuration of {tmp_path} can't be read: ")
