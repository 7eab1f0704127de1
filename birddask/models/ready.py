"""Front ends and classifiers, made once a process and proven on the known clip before they are used."""

from __future__ import annotations

import functools
import os
import threading
from dataclasses import dataclass

import numpy as np
import threadpoolctl

from birddask.errors import ModelError
from birddask.mels.transform import FrontEnd, prepare
from birddask.models.bundle import Bundle, read_bundle
from birddask.models.card import Precision
from birddask.models.runtime import CPU
from birddask.models.session import Classifier, start_classifier
from birddask.storage import Folder


@dataclass(frozen=True)
class BundleRef:
    """A bundle by its place and its content; all that travels to a worker."""

    folder: Folder
    fingerprint: str
    precision: Precision = "float32"


PROVIDER_VARIABLE = "BIRDDASK_PROVIDER"
"""Environment variable of a worker: what it computes scores with. It says where, not what, so it is in no job file."""

_lock = threading.Lock()


def ready_front_end(bundle: BundleRef) -> FrontEnd:
    """The front end of a bundle's mel spec.

    Raises:
        ModelError: the bundle is not the expected one, or the known clip's mels come out wrong here.
    """
    with _lock:
        return _front_end(bundle)


def ready_classifier(bundle: BundleRef) -> Classifier:
    """The classifier of a bundle.

    Raises:
        ModelError: the bundle is not the expected one, or the known clip's scores come out wrong here.
    """
    with _lock:
        return _classifier(bundle)


@functools.cache
def _front_end(ref: BundleRef) -> FrontEnd:
    # A product's last bits depend on how many threads share it: one, here and on every worker.
    threadpoolctl.threadpool_limits(limits=1, user_api="blas")
    bundle = _expected_bundle(ref)
    front_end = prepare(bundle.card.mels, bundle.front_end)
    known = bundle.known_answer
    off = float(np.abs(front_end.mels(known.waveform) - known.mels).max())
    allowed = bundle.card.tolerance * max(1.0, float(np.abs(known.mels).max()))
    if not off <= allowed:
        raise ModelError(
            f"the mels of the known clip of {bundle.card.name} come out wrong on this machine: off by {off:.2g}, "
            f"at most {allowed:.2g} is allowed; nothing was computed"
        )
    return front_end


@functools.cache
def _classifier(ref: BundleRef) -> Classifier:
    return start_classifier(_expected_bundle(ref), os.environ.get(PROVIDER_VARIABLE, CPU), ref.precision)


def _expected_bundle(ref: BundleRef) -> Bundle:
    bundle = read_bundle(ref.folder)
    if bundle.card.fingerprint != ref.fingerprint:
        raise ModelError(
            f"the bundle in {ref.folder.url} is not the one that the job was planned with "
            f"(fingerprint {bundle.card.fingerprint}, expected {ref.fingerprint})"
        )
    return bundle
