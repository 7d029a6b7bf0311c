# One image for api, worker, migrations and the emulator: `docker build -t gudok .`
# It carries what uv.lock names for production, and neither the Temporal dev server (extra `local`) nor the tests.

FROM python:3.13-slim-bookworm AS build
# The version that the Makefile uses, from the same package index as everything else.
RUN pip install --no-cache-dir uv==0.13.9
ENV UV_PROJECT_ENVIRONMENT=/opt/gudok \
    UV_PYTHON_DOWNLOADS=never \
    UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy
WORKDIR /src
# Dependencies first: they change less often than the code, and this layer is kept.
COPY pyproject.toml uv.lock README.md ./
RUN uv sync --frozen --no-dev --no-install-project
COPY worker.py gudok_pytest.py ./
COPY workflows workflows
COPY activities activities
COPY api api
COPY billing billing
RUN uv sync --frozen --no-dev --no-editable

FROM python:3.13-slim-bookworm
RUN groupadd --system --gid 10001 gudok \
    && useradd --system --uid 10001 --gid gudok --home-dir /var/lib/gudok --create-home gudok
COPY --from=build /opt/gudok /opt/gudok
ENV PATH=/opt/gudok/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
# The only place it writes to; mount a volume here where the emulator's or a SQLite file must last.
WORKDIR /var/lib/gudok
USER 10001:10001
ENTRYPOINT ["gudok"]
CMD ["--help"]
