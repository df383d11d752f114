#!/usr/bin/env bash
# What the watermark costs: time, quality by PSNR, SSIM and VMAF, bytes, and steps between variants.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Debian's ffmpeg has no libvmaf; the one in the Python package imageio-ffmpeg does.
version=0.8.1
ffmpeg=$TOOLS/imageio-ffmpeg-$version/ffmpeg
if [[ ! -x $ffmpeg ]]; then
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    python3 -m pip download --quiet --no-deps --only-binary :all: --dest "$scratch" "imageio-ffmpeg==$version" >&2
    mkdir -p "${ffmpeg%/*}"
    python3 - "$scratch" "$ffmpeg" << 'PYTHON'
import os, pathlib, shutil, sys, zipfile

scratch, target = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
[package] = scratch.glob("*.whl")
with zipfile.ZipFile(package) as archive:
    [name] = [name for name in archive.namelist() if "/binaries/ffmpeg-" in name]
    # A name that appears holds the whole program, whenever this is interrupted.
    partial = target.with_name(f".ffmpeg.{os.getpid()}")
    with archive.open(name) as packed, partial.open("wb") as unpacked:
        shutil.copyfileobj(packed, unpacked)
    partial.chmod(0o755)
    partial.replace(target)
PYTHON
fi
clips=$(scripts/fetch-clips.sh)
cargo bench --locked -p selvedge-encoder --bench watermark -- "$ffmpeg" "$clips" "$@"
