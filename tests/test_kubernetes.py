"""deploy/kubernetes, held against the published schemas and against what the program does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from detector.api.running import EXIT_SECONDS
from detector.settings import Settings

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "deploy" / "kubernetes"
#: The oldest release that is still served by most clouds, and the newest whose schemas are at hand.
RELEASES = ("1.31", kubernetes_validate.latest_version())


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text()))


FILES = sorted(path for path in FOLDER.glob("*.yaml") if path.name != "kustomization.yaml")
KUSTOMIZATION = documents(FOLDER / "kustomization.yaml")[0]
ALL = [document for path in FILES for document in documents(path)]
(DEPLOYMENT,) = [document for document in ALL if document["kind"] == "Deployment"]
(JOB,) = [document for document in ALL if document["kind"] == "Job"]
POD = DEPLOYMENT["spec"]["template"]
(API,) = POD["spec"]["containers"]
(CONFIGURED,) = [document["data"] for document in ALL if document["kind"] == "ConfigMap"]


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_fits_the_published_schemas_to_the_last_field(path: Path, release: str) -> None:
    for document in documents(path):
        kubernetes_validate.validate(document, release, strict=True)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda spec: spec.update(replica=3),
        lambda spec: spec["template"]["spec"]["containers"][0].update(readinesProbe={}),
        lambda spec: spec["template"]["spec"].update(terminationGracePeriodSeconds="35 s"),
        lambda spec: spec.pop("selector"),
    ],
)
def test_the_schemas_notice_a_slip(spoil: Any) -> None:
    spoilt = documents(FOLDER / "deployment.yaml")[0]
    spoil(spoilt["spec"])
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(spoilt, RELEASES[-1], strict=True)


def test_all_files_are_applied_but_the_example_of_a_secret() -> None:
    assert set(KUSTOMIZATION["resources"]) == {path.name for path in FILES} - {"secret.example.yaml"}
    names = [(document["kind"], document["metadata"]["name"]) for document in ALL]
    assert len(set(names)) == len(names)
    (image,) = KUSTOMIZATION["images"]
    used = {one["image"] for pod in (POD, JOB["spec"]["template"]) for kind in ("initContainers", "containers")
            for one in pod["spec"][kind]}  # fmt: skip
    assert used == {image["name"]}


def test_no_value_of_a_secret_is_in_a_file() -> None:
    (secret,) = [document for document in ALL if document["kind"] == "Secret"]
    assert set(secret.get("data", {}).values()) | set(secret["stringData"].values()) == {""}
    assert not re.search(r"dak_|password:", "".join(path.read_text() for path in FILES))


def test_what_is_configured_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"DATABASE_URL", *(f"DETECTOR_{name.upper()}" for name in Settings.model_fields)}
    assert set(CONFIGURED) <= known
    assert all(type(value) is str for value in CONFIGURED.values())
    for name, value in CONFIGURED.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.home == Path("/workspace")
    assert settings.api_port == API["ports"][0]["containerPort"]


def test_a_pod_has_the_time_to_stop_that_the_program_takes() -> None:
    delay, stop = float(CONFIGURED["DETECTOR_STOP_DELAY_SECONDS"]), float(CONFIGURED["DETECTOR_STOP_SECONDS"])
    probe = API["readinessProbe"]
    assert delay + stop < EXIT_SECONDS < POD["spec"]["terminationGracePeriodSeconds"]
    assert probe["periodSeconds"] * probe["failureThreshold"] < delay


def test_probes_ask_the_doors_that_are_open_to_all() -> None:
    paths = {name: API[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    # What restarts must not restart for a database that is away.
    assert paths == {"startupProbe": "/health", "livenessProbe": "/health", "readinessProbe": "/ready"}


def test_selectors_find_the_pods() -> None:
    labels = POD["metadata"]["labels"].items()
    for document in ALL:
        spec = document.get("spec", {})
        wanted = spec.get("podSelector") or spec.get("selector") or {}
        wanted = wanted.get("matchLabels", wanted)
        if document["kind"] in ("Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy"):
            assert wanted, document["kind"]
            assert wanted.items() <= labels, document["kind"]
    (scaler,) = [document for document in ALL if document["kind"] == "HorizontalPodAutoscaler"]
    assert scaler["spec"]["scaleTargetRef"]["name"] == DEPLOYMENT["metadata"]["name"]
    # A number here would undo at each release what the autoscaler has chosen.
    assert "replicas" not in DEPLOYMENT["spec"]


@pytest.mark.parametrize("pod", [POD, JOB["spec"]["template"]], ids=["api", "migration"])
def test_pods_are_closed_and_write_only_where_they_must(pod: dict[str, Any]) -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    (user,) = re.findall(r"--uid (\d+)", dockerfile)
    assert pod["spec"]["securityContext"]["runAsUser"] == int(user)
    assert pod["spec"]["securityContext"]["runAsNonRoot"]
    assert not pod["spec"]["automountServiceAccountToken"]
    for container in pod["spec"]["initContainers"] + pod["spec"]["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
    (container,) = pod["spec"]["containers"]
    mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
    (cache,) = re.findall(r"NUMBA_CACHE_DIR=(\S+)", dockerfile)
    assert mounted == {CONFIGURED["DETECTOR_HOME"], cache, "/tmp"}
    named = {volume["name"] for volume in pod["spec"]["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == named
    (filled,) = pod["spec"]["initContainers"]
    assert filled["command"] == ["cp", "-R", f"{cache}/.", "/cache/"]


def test_all_replicas_together_fit_into_the_database_server() -> None:
    (scaler,) = [document for document in ALL if document["kind"] == "HorizontalPodAutoscaler"]
    # Two more for the job and a process started by hand; PostgreSQL's own default is 100.
    together = (scaler["spec"]["maxReplicas"] + 2) * int(CONFIGURED["DETECTOR_DATABASE_CONNECTIONS"])
    assert together < 100
