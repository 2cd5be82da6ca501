# One image for both services; compose.yaml runs it twice.

FROM python:3.12-slim AS build
COPY requirements.txt requirements-s3.txt /tmp/
# The environment gets no pip of its own; the tests that libraries ship and C headers are of no use at run time.
# Byte code is kept: without it each start of a process costs ten seconds more.
RUN python -m venv --without-pip /opt/venv \
    && pip --python /opt/venv/bin/python install --no-cache-dir --no-compile -r /tmp/requirements-s3.txt \
    && find /opt/venv -type d -name tests -prune -exec rm -rf {} + \
    && rm -rf /opt/venv/lib/python3.12/site-packages/pyarrow/include \
    && /opt/venv/bin/python -m compileall -q -j 0 /opt/venv/lib


FROM python:3.12-slim
RUN useradd --create-home --uid 10001 detector \
    && install -d -o detector -g detector /workspace /workspace/models /workspace/data /var/cache/detector
COPY --from=build /opt/venv /opt/venv
COPY app.py /app/app.py
COPY pages /app/pages
COPY .streamlit /app/.streamlit
COPY sample_data /app/sample_data
COPY detector /app/detector

ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    NUMBA_CACHE_DIR=/var/cache/detector \
    DETECTOR_HOME=/workspace \
    DETECTOR_API_HOST=0.0.0.0 \
    DETECTOR_DASHBOARD_HOST=0.0.0.0

RUN python -m compileall -q /app
USER detector
WORKDIR /app
# Training and scoring once compiles all there is to compile, so that no first request waits for it. The cache belongs to
# the user: on a processor other than the builder's the code is compiled once more, at the first start.
RUN export DETECTOR_HOME=/tmp/warm \
    && python -m detector train sample_data/week1.csv \
    && python -m detector score sample_data/week4.csv --out /tmp/warm/scored.csv \
    && rm -r /tmp/warm

EXPOSE 8501 8000
VOLUME ["/workspace/models", "/workspace/data"]
# That the process lives; /ready says more, but a database that is away is no reason to start the container anew.
HEALTHCHECK --interval=15s --timeout=5s --start-period=120s --retries=4 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health', timeout=4)"]
# Both listen on every address of the container, so this refuses to start until keys are made and people sign in, or until
# DETECTOR_TRUSTED_NETWORK=true says that the ports are published on loopback only (docs/security.md), as compose.yaml does.
CMD ["python", "-m", "detector", "serve"]
