"""dpid pairs --degradations: what is drawn for each image, done to its outputs, and recorded."""

from __future__ import annotations

import io
import json
from collections import Counter
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from PIL import Image

import dpid_cli
from support.command import is_one_error_line, pixels
from support.folders import files, lines, make

EVERYTHING = """\
seed: 7
method: {dpid: 2, matlab-bicubic: 1}  # by weight
lambda: [0.5, 1.5]
noise:
  sigma: [1, 8]
  probability: 0.5
jpeg:
  quality: [60, 95]
  probability: 0.5
"""


def write(text: str = EVERYTHING) -> None:
    Path("recipe.yaml").write_text(text)


RUN = ("pairs", "in", "out", "-r", "-s", "2", "--degradations", "recipe.yaml", "--report", "r.jsonl")


def through_jpeg(image, quality):
    """An image after Pillow has stored it as JPEG."""
    with io.BytesIO() as file:
        Image.fromarray(image).save(file, "jpeg", quality=quality, subsampling="4:2:0")
        return np.asarray(Image.open(file))


def test_reports_say_what_was_drawn_and_outputs_follow_from_it(dpid, folder):
    for k in range(90):
        make(f"in/{k}.png", (24, 20))
    write()
    assert dpid(*RUN).exit_code == 0
    report = list(lines().values())
    methods = Counter(line["methods"][0] for line in report)
    assert methods.keys() == {"dpid", "matlab-bicubic"} and methods["dpid"] > methods["matlab-bicubic"]
    drawn = [line["degradations"] for line in report]
    assert all(original is None for _, original in drawn)
    noises = [degradation["noise"] for degradation, _ in drawn]
    qualities = [degradation["jpeg"] for degradation, _ in drawn]
    for values, low, high in (noises, 1, 8), (qualities, 60, 95):
        given = [value for value in values if value is not None]
        assert 25 <= len(given) <= 65 and low <= min(given) < max(given) <= high
        assert max(given) - min(given) > 0.6 * (high - low)
    lambdas = [line["parameters"][0]["lambda"] for line in report if line["methods"][0] == "dpid"]
    assert all(0.5 <= value <= 1.5 for value in lambdas) and len(set(lambdas)) > 20
    for line in report:
        image = pixels(line["input"])
        lambda_ = line["parameters"][0].get("lambda")
        plain = dpid_cli.downscale(image, scale=2, method=line["methods"][0], lambda_=lambda_)
        output = pixels(line["outputs"][0])
        np.testing.assert_array_equal(pixels(line["outputs"][1]), image)
        noise, quality = (line["degradations"][0][name] for name in ("noise", "jpeg"))
        if noise is None:
            np.testing.assert_array_equal(output, plain if quality is None else through_jpeg(plain, quality))
        elif quality is None:
            inside = (plain > 30) & (plain < 225)  # where nothing was clipped
            difference = (output.astype(float) - plain)[inside]
            assert abs(difference.std() / noise - 1) < 0.25 and abs(difference.mean()) < 0.25 * noise


def test_noise_is_gaussian_and_of_every_depth(dpid, folder):
    Path("in").mkdir()
    Image.fromarray(np.full((400, 400, 3), 128, np.uint8)).save("in/rgb.png")
    Image.fromarray(np.full((400, 400), 128 * 257, np.uint16)).save("in/deep.png")
    clear = np.full((400, 400, 4), 128, np.uint8)
    Image.fromarray(clear, "RGBA").save("in/clear.png")
    write("noise: {sigma: 6}")
    assert dpid(*RUN, "-m", "box").exit_code == 0
    for name, unit in ("rgb", 1), ("deep", 257):
        values = pixels(f"out/LR_unknown/X2/{name}.png") / unit - 128
        assert abs(values.mean()) < 0.05 and abs(values.std() - 6) < 0.1
    # The shares within one, two and three deviations
    for k, share in (1, 0.683), (2, 0.954), (3, 0.997):
        assert abs((np.abs(values) < k * 6).mean() - share) < 0.01
    rgb = pixels("out/LR_unknown/X2/rgb.png").reshape(-1, 3) - 128.0
    assert np.abs(np.corrcoef(rgb.T) - np.eye(3)).max() < 0.03
    assert np.abs(np.corrcoef(rgb[:-1, 0], rgb[1:, 0])[0, 1]) < 0.03
    assert (pixels("out/LR_unknown/X2/clear.png")[..., 3] == 128).all()


def test_noise_counts_in_the_range_of_values(dpid, folder):
    """Of floats from 0 to 255, as of bytes."""
    Path("in").mkdir()
    Image.fromarray(np.full((80, 80), 128, np.float32)).save("in/a.tif")
    write("noise: {sigma: 20}")
    assert dpid(*RUN, "--value-range", "0,255", "--format", "tiff").exit_code == 0
    assert abs(pixels("out/LR_unknown/X2/a.tif").std() / 20 - 1) < 0.1


def test_draws_depend_on_seed_and_path_alone(dpid, folder):
    for name in "a.png", "b.png", "sub/a.png":
        make(f"in/{name}", (20, 20))
    write()
    run = [*RUN[:-2]]
    assert dpid(*run, "-j", "1").exit_code == 0
    whole = {name: Path("out", name).read_bytes() for name in files("out")}
    make("in/0.png", (20, 20))  # one more, which comes first
    Path("in").rename("elsewhere")
    run[1:3] = "elsewhere", "again"
    for part in "1/2", "2/2":
        assert dpid(*run, "--shard", part).exit_code == 0
    assert all(Path("again", name).read_bytes() == content for name, content in whole.items())
    write(EVERYTHING.replace("seed: 7", "seed: 8"))
    run[2] = "other"
    assert dpid(*run).exit_code == 0
    others = [Path("other", name).read_bytes() for name in whole if "LR" in name]
    assert others != [whole[name] for name in whole if "LR" in name]


def test_resuming_knows_the_recipe(dpid, folder):
    make("in/a.png", (40, 40))
    write()
    run = (*RUN, "--resume", "--patches", "16", "--json")
    assert json.loads(dpid(*run).stdout)["done"] == 1
    assert json.loads(dpid(*run).stdout)["skipped"] == 1
    write(EVERYTHING.replace("[1, 8]", "[2, 8]"))
    assert json.loads(dpid(*run).stdout)["done"] == 1
    (line,) = lines().values()
    assert len(line["degradations"]) == len(line["outputs"]) == len(line["parameters"])
    jsonschema.validate(line, json.loads(dpid("schema", "report").stdout))
    told = {json.dumps(each) for each in line["degradations"]}
    assert len(told) == 2 and "null" in told  # one for all squares of the output, none for the original


def test_a_square_shows_a_part_of_the_degraded_output(dpid, folder):
    make("in/a.png", (64, 64))
    write("jpeg: {quality: 30}\nnoise: {sigma: 5}")
    assert dpid(*RUN).exit_code == 0
    sub = [*RUN[:-2], "--patches", "32"]
    assert dpid(*sub).exit_code == 0
    whole = pixels("out/LR_unknown/X2/a.png")
    np.testing.assert_array_equal(pixels("out/LR_unknown/X2_sub/a_s001.png"), whole[:16, :16])


def test_the_methods_of_the_command_stay_where_none_is_drawn(dpid, folder):
    make("in/a.png", (20, 20))
    write("lambda: [0.5, 0.5]\nseed: 3")
    assert dpid(*RUN, "-m", "dpp", "--alpha", "0.1", "--layout", "neosr").exit_code == 0
    (line,) = lines().values()
    assert line["methods"] == ["dpp", None] and line["outputs"][0] == "out/lq/a.png"
    assert (line["parameters"][0]["lambda"], line["parameters"][0]["alpha"]) == (0.5, 0.1)
    expected = dpid_cli.downscale(pixels("in/a.png"), scale=2, method="dpp", lambda_=0.5, alpha=0.1)
    np.testing.assert_array_equal(pixels("out/lq/a.png"), expected)


def test_json_is_yaml(dpid, folder, monkeypatch):
    make("in/a.png", (20, 20))
    write('{"noise": {"sigma": [2, 4]}}')
    monkeypatch.setitem(__import__("sys").modules, "yaml", None)  # as if it were not installed
    assert dpid(*RUN).exit_code == 0
    write("noise: {sigma: 2}")
    result = dpid(*RUN[:-2], "-f")
    assert result.exit_code == 2 and 'pip install "dpid-cli[pairs]"' in result.stderr


def test_deep_images_and_jpeg(dpid, folder):
    Path("in").mkdir()
    Image.fromarray(np.zeros((20, 20), np.uint16)).save("in/deep.png")
    write("jpeg: {quality: 50}")
    result = dpid(*RUN)
    assert result.exit_code == 1 and "in/deep.png: JPEG artefacts need 8 bits" in result.stderr
    assert not files("out")
    assert lines()["in/deep.png"]["degradations"] == lines()["in/deep.png"]["channels"] == []
    assert dpid(*RUN[:-2], "--depth", "8").exit_code == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("methods: dpid", "recipe.yaml: methods: is not known: use seed, method, lambda, noise, jpeg"),
        ("noise: {sigma: 1, p: 0.5}", "recipe.yaml: noise.p: is not known: use sigma, probability"),
        ("noise: {probability: 0.5}", "recipe.yaml: noise.sigma: is missing"),
        ("noise: 3", "recipe.yaml: noise must be a mapping"),
        ("noise: {sigma: [3, 2]}", "recipe.yaml: noise.sigma must be"),
        ("noise: {sigma: [1, 2, 3]}", "recipe.yaml: noise.sigma must be"),
        ("noise: {sigma: -1}", "recipe.yaml: noise.sigma must be"),
        ("noise: {sigma: .nan}", "recipe.yaml: noise.sigma must be"),
        ("noise: {sigma: yes}", "recipe.yaml: noise.sigma must be"),
        ("noise: {sigma: 1, probability: 2}", "recipe.yaml: noise.probability must be a number from 0 to 1"),
        ("jpeg: {quality: 0}", "recipe.yaml: jpeg.quality must be"),
        ("jpeg: {quality: [10, 101]}", "recipe.yaml: jpeg.quality must be"),
        ("jpeg: {quality: 50.5}", "recipe.yaml: jpeg.quality must be"),
        ("lambda: [-1, 2]", "recipe.yaml: lambda must be"),
        ("lambda: .inf", "recipe.yaml: lambda must be"),
        ("lambda: auto", "recipe.yaml: lambda must be"),
        ("lambda: 1\nmethod: box", "recipe.yaml: lambda: none of the methods takes it"),
        ("method: [dpid, magic]", "recipe.yaml: method: 'magic' is not known"),
        ("method: {dpid: 0}", "recipe.yaml: method.dpid must be a number above 0"),
        ("method: {}", "recipe.yaml: method must be methods"),
        ("method: 3", "recipe.yaml: method must be methods"),
        ("method: [[dpid]]", "recipe.yaml: method must be methods"),
        ("seed: -1", "recipe.yaml: seed must be"),
        ("seed: true", "recipe.yaml: seed must be"),
        ("seed: 1\nseed: 2", "recipe.yaml: seed: is there twice"),
        ('{"seed": 1, "seed": 2}', "recipe.yaml: seed: is there twice: omit one of them\n"),
        ("noise: {sigma: 1" + 400 * "0" + "}", "recipe.yaml: noise.sigma must be"),
        ("[" * 100_000, "recipe.yaml: not YAML"),
        ("- a", "recipe.yaml: the file must be a mapping"),
        ("", "recipe.yaml: the file must be a mapping"),
        ("a: [", "recipe.yaml: not YAML"),
        ("a: &a [*a, *a]", "recipe.yaml: "),
        ("? [a]\n: 1", "recipe.yaml: "),
        ("seed: !!python/object/apply:os.system [true]", "recipe.yaml: not YAML"),
        ("\0", "recipe.yaml: not YAML"),
    ],
)
def test_wrong_recipes(dpid, folder, text, words):
    make("in/a.png", (20, 20))
    write(text)
    result = dpid(*RUN)
    assert result.exit_code == 2 and words in result.stderr and is_one_error_line(result.stderr), (
        result.stderr
    )
    assert files(".") == ["in/a.png", "recipe.yaml"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("-m", "box"), "--method: recipe.yaml draws the method"),
        (("-m", "dpid"), "--method: recipe.yaml draws the method"),
        (("--lambda", "2"), "--lambda: recipe.yaml draws the method"),
        (("-m", "dpid", "-m", "box"), "--degradations: goes with one method"),
        (("--device", "cuda"), "cuda"),
    ],
)
def test_options_that_contradict_recipes(dpid, folder, options, words):
    make("in/a.png", (20, 20))
    write()
    result = dpid(*RUN, *options)
    assert result.exit_code == 2 and words in result.stderr and is_one_error_line(result.stderr)


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("lambda: 1", ("--lambda", "2"), "--lambda: recipe.yaml draws it"),
        ("lambda: 1", ("-m", "box"), "recipe.yaml: lambda: method box takes none"),
    ],
)
def test_lambda_twice_or_nowhere(dpid, folder, text, options, words):
    make("in/a.png", (20, 20))
    write(text)
    result = dpid(*RUN, *options)
    assert result.exit_code == 2 and words in result.stderr and is_one_error_line(result.stderr)


def test_a_file_of_json_is_told_what_is_wrong_with_it(dpid, folder):
    make("in/a.png", (20, 20))
    Path("recipe.json").write_text('{"seed": 1,}')
    result = dpid(*RUN[:-4], "--degradations", "recipe.json")
    assert result.exit_code == 2 and result.stderr.startswith("recipe.json: not JSON: ")


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00", b"seed: 1 #" + bytes(1 << 21)])
def test_files_that_are_no_recipes(dpid, folder, content):
    make("in/a.png", (20, 20))
    if content is not None:
        Path("recipe.yaml").write_bytes(content)
    result = dpid(*RUN)
    assert (
        result.exit_code == 2
        and result.stderr.startswith("recipe.yaml: ")
        and is_one_error_line(result.stderr)
    )
