# birddask in an image, from the top of the repository:
#
#     docker build -t birddask .
#     docker run --rm -v birddask-cache:/cache birddask birddask models get birdnet-v2.4
#     docker run --rm -v birddask-cache:/cache -v /media/cards:/archive:ro -v /data/results:/results birddask \
#         birddask run --archive /archive --output /results --model birdnet-v2.4
#
# /data/results must be writable by user 1000. For Kubernetes, driver, scheduler and workers have one image with the model
# in it, so that no worker fetches it:
#
#     docker build --build-arg EXTRAS=birdnet,kubernetes --build-arg MODEL=birdnet-v2.4 \
#         -t registry.example.org/birddask:0.1 .
#
# Such an image holds weights: those of BirdNET are under CC BY-NC-SA 4.0. Without MODEL it holds none.
FROM python:3.13-slim

ARG EXTRAS=birdnet
COPY pyproject.toml README.md LICENSE /birddask/
COPY birddask /birddask/birddask
RUN pip install --no-cache-dir "/birddask[${EXTRAS}]"

RUN useradd --uid 1000 --create-home birddask && install --directory --owner birddask /cache
ENV BIRDDASK_CACHE=/cache
USER 1000

ARG MODEL=
RUN test -z "$MODEL" || birddask models get "$MODEL"

# No entry point: Dask's operator for Kubernetes starts `dask` in the same image.
CMD ["birddask", "--help"]
