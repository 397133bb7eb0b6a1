# The images of the project, for anyone; .pipeline/ has the same stages as Blubber files.
#
#   docker build --target server .        the model server (also what a bare `docker build .` makes)
#   docker build --target dispatcher .    page_change events in, HTTP requests out
#   docker build --target mocks .         a mock EventGate and a mock MediaWiki
#   docker build --target analytics .     what reads the streams: lake, reports, alerts, dashboard
#   docker build --target test .          runs the unit and contract tests
#
# For GPUs, the index says whose. Either brings its runtime libraries along; the node has only the driver.
#   --build-arg TORCH_INDEX_URL=https://download.pytorch.org/whl/cu130      NVIDIA
#   --build-arg TORCH_INDEX_URL=https://download.pytorch.org/whl/rocm7.2    AMD
ARG PYTHON_IMAGE=docker.io/library/python:3.11-slim-bookworm

# Everything that runs is installed below /opt/revertrisk, which the last stages copy and nothing else.
FROM ${PYTHON_IMAGE} AS base
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /build
RUN python3 -m venv /opt/revertrisk

# Our own wheel, in a stage of its own: a change of ours downloads no dependency again.
FROM base AS wheel
COPY requirements/locked-build.txt requirements/
RUN /opt/revertrisk/bin/pip install --require-hashes --no-deps --requirement requirements/locked-build.txt
COPY pyproject.toml README.md LICENSE ./
COPY mock_eventgate mock_eventgate
COPY mock_mediawiki mock_mediawiki
COPY model_server model_server
COPY revertrisk revertrisk
COPY schemas schemas
RUN /opt/revertrisk/bin/pip wheel --no-deps --no-build-isolation --wheel-dir dist .

FROM base AS build-server
ARG TORCH_INDEX_URL=https://download.pytorch.org/whl/cpu
COPY requirements/constraints.txt requirements/locked-server.txt requirements/
# torch by its version only: its hash depends on the index. It comes last: its CPU build finds all that it needs in
# the lock file, and a GPU build takes from the same index what is then missing, its runtime libraries.
RUN /opt/revertrisk/bin/pip install --require-hashes --no-deps --requirement requirements/locked-server.txt \
    && /opt/revertrisk/bin/pip install --index-url "${TORCH_INDEX_URL}" \
        "$(grep '^torch==' requirements/constraints.txt)" \
    && rm -rf /opt/revertrisk/lib/python3.11/site-packages/torch/include \
              /opt/revertrisk/lib/python3.11/site-packages/torch/test
COPY --from=wheel /build/dist dist
RUN /opt/revertrisk/bin/pip install --no-deps dist/*.whl && /opt/revertrisk/bin/pip check

FROM base AS build-dispatcher
COPY requirements/locked-dispatcher.txt requirements/
RUN /opt/revertrisk/bin/pip install --require-hashes --no-deps --requirement requirements/locked-dispatcher.txt
COPY --from=wheel /build/dist dist
RUN /opt/revertrisk/bin/pip install --no-deps dist/*.whl && /opt/revertrisk/bin/pip check

FROM base AS build-mocks
COPY requirements/locked-mocks.txt requirements/
RUN /opt/revertrisk/bin/pip install --require-hashes --no-deps --requirement requirements/locked-mocks.txt
COPY --from=wheel /build/dist dist
RUN /opt/revertrisk/bin/pip install --no-deps dist/*.whl && /opt/revertrisk/bin/pip check

FROM base AS build-analytics
COPY requirements/locked-analytics.txt requirements/
RUN /opt/revertrisk/bin/pip install --require-hashes --no-deps --requirement requirements/locked-analytics.txt
# New volumes take the owner of the folder that they are mounted on.
RUN mkdir --parents data/lake data/keys
COPY --from=wheel /build/dist dist
RUN /opt/revertrisk/bin/pip install --no-deps dist/*.whl && /opt/revertrisk/bin/pip check

# What the images share: an ordinary user, nothing to write to, and a stop by SIGTERM.
FROM ${PYTHON_IMAGE} AS runtime
ARG VERSION=0.2.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="revertrisk-events" \
      org.opencontainers.image.description="Scores wiki edits for revert risk and publishes each prediction" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV PATH=/opt/revertrisk/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp
WORKDIR /srv/revertrisk
USER 65532:65532
ENTRYPOINT ["revertrisk"]

FROM build-server AS test
COPY . .
RUN /opt/revertrisk/bin/pip install --constraint requirements/constraints.txt '.[dev]'
CMD ["/opt/revertrisk/bin/pytest", "tests/unit", "tests/contract"]

FROM runtime AS dispatcher
COPY --from=build-dispatcher /opt/revertrisk /opt/revertrisk
COPY revertrisk/dispatcher/rules rules
CMD ["dispatch", "--help"]

FROM runtime AS mocks
COPY --from=build-mocks /opt/revertrisk /opt/revertrisk
EXPOSE 8192 8193
CMD ["mock-eventgate", "--host", "0.0.0.0"]

FROM runtime AS analytics
COPY --from=build-analytics /opt/revertrisk /opt/revertrisk
COPY --from=build-analytics --chown=65532:65532 /build/data /var/lib/revertrisk
EXPOSE 8194
CMD ["lake", "--help"]

FROM runtime AS server
COPY --from=build-server /opt/revertrisk /opt/revertrisk
EXPOSE 8080 8081
CMD ["serve"]
