#!/usr/bin/env python3
"""A montage of two short clips that never comes again: cut, cropped, moved, mirrored and coloured as a seed says.

Arguments: the folder of the clips, the file to write, seconds, WIDTHxHEIGHT, seed.
"""
import pathlib, random, subprocess, sys

clips, out, seconds, size, seed = pathlib.Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), sys.argv[4], int(sys.argv[5])
width, height = map(int, size.split("x"))
draw = random.Random(seed)
sources = {"bikes.mp4": (640, 272, 10.0), "bigbuckbunny.mp4": (1280, 720, 5.28)}
inputs, chains, total = [], [], 0.0
while total < seconds:
    name = draw.choice(sorted(sources))
    w, h, length = sources[name]
    share = draw.uniform(0.55, 0.95)
    ch = int(h * share) // 2 * 2
    cw = min(int(ch * width / height), w) // 2 * 2
    shot = draw.uniform(2.0, 4.6)
    speed = draw.uniform(0.6, 1.25)
    start = draw.uniform(0, max(0.0, length - shot * speed))
    shot = min(shot, (length - start) / speed - 0.05)
    mx, my = (w - cw), (h - ch)
    x0, y0, vx, vy = draw.uniform(0, mx), draw.uniform(0, my), draw.uniform(-40, 40), draw.uniform(-25, 25)
    chain = f"[{len(chains)}:v]setpts=(PTS-STARTPTS)/{speed:.4f},fps=25,"
    chain += f"crop={cw}:{ch}:x='clip({x0:.1f}+{vx:.1f}*t,0,{mx})':y='clip({y0:.1f}+{vy:.1f}*t,0,{my})',"
    if draw.random() < 0.5:
        chain += "hflip,"
    chain += f"eq=brightness={draw.uniform(-0.08, 0.08):.3f}:contrast={draw.uniform(0.8, 1.2):.3f}:saturation={draw.uniform(0.4, 1.5):.3f},"
    chain += f"scale={width}:{height}:flags=bicubic,setsar=1,trim=0:{shot:.3f},setpts=PTS-STARTPTS[v{len(chains)}]"
    inputs += ["-ss", f"{start:.3f}", "-t", f"{shot * speed + 0.1:.3f}", "-i", str(clips / name)]
    chains.append(chain)
    total += shot
graph = ";".join(chains) + ";" + "".join(f"[v{n}]" for n in range(len(chains))) + f"concat=n={len(chains)}:v=1[out]"
subprocess.run(["ffmpeg", "-v", "error", "-y", *inputs, "-filter_complex", graph, "-map", "[out]", "-t", str(seconds),
                "-c:v", "libx264", "-preset", "veryfast", "-crf", "14", "-pix_fmt", "yuv420p", out], check=True)
