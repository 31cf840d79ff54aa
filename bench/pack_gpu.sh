#!/usr/bin/env bash
# Packs the pinned pure-Python and small packages that tempo needs beside torch, for a machine without network:
# writes .gpu/d in the project's root, below 30 MiB. There: bash .gpu/d/install.sh, then PYTHONPATH=/tmp/site:src:.
# Not among them, because they are large: torch, numpy, and av, pillow, imageio-ffmpeg and bitsandbytes (for --quantize).
# Usage: bash bench/pack_gpu.sh [PYTHON_VERSION]     (default 3.12)
set -euo pipefail
cd "$(dirname "$0")/.."
version=${1:-3.12}
packages=(tokenizers safetensors huggingface_hub httpx2 httpcore2 truststore anyio idna h11
          fsspec filelock packaging PyYAML tqdm click typer pydantic pydantic_core annotated-types annotated-doc
          typing-inspection typing_extensions shellingham rich markdown-it-py mdurl Pygments platformdirs)
tags=()
for tag in manylinux_2_28 manylinux_2_27 manylinux_2_24 manylinux_2_17 manylinux2014 manylinux1; do
    tags+=(--platform "${tag}_x86_64")
done
pins=()
for package in "${packages[@]}"; do pins+=("$(grep -i "^$package==" constraints.txt)"); done
rm -rf .gpu/d
mkdir -p .gpu/d
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
    --python-version "$version" --implementation cp "${tags[@]}" -d .gpu/d "${pins[@]}"
cat > .gpu/d/install.sh <<'INSTALL'
#!/usr/bin/env bash
set -euo pipefail
python3 -m pip install --quiet --no-index --no-deps --no-compile --no-cache-dir --upgrade --target /tmp/site "$(dirname "$0")"/*.whl
INSTALL
size=$(du -sm .gpu/d | cut -f1)
echo ".gpu/d: $size MiB"
[ "$size" -lt 30 ] || { echo "too large to travel" >&2; exit 1; }
