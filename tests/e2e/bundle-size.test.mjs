// Both WebAssembly bundles fit what the platforms take, with room.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { cloudflareBuild, fastlyModule } from './support/paths.mjs';

const MIB = 1024 * 1024;

const gzipped = (files) =>
  files.reduce((sum, file) => sum + gzipSync(readFileSync(file), { level: 9 }).length, 0);

function filesBelow(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(wasm|m?js)$/.test(entry.name))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}

const bundles = {
  cloudflare: () => filesBelow(cloudflareBuild()),
  fastly: () => [fastlyModule()],
};

for (const [name, files] of Object.entries(bundles)) {
  test(`the ${name} bundle is under 1 MiB gzipped`, () => {
    const size = gzipped(files());
    console.log(`${name}: ${(size / 1024).toFixed(1)} KiB gzipped`);
    assert.ok(size > 10_000, `${size} bytes are too few to be an edge`);
    assert.ok(size < MIB, `${size} bytes`);
  });
}
