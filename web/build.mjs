// Bundles the page of `selvedge demo` into web/dist: one document, one script, one style sheet,
// and one script for each player, fetched only when that player is chosen.
import { copyFile, mkdir, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const web = dirname(fileURLToPath(import.meta.url));
const dist = join(web, 'dist');

await rm(dist, { recursive: true, force: true });
await mkdir(join(dist, 'licenses'), { recursive: true });

/** What the bundles carry of others goes along with its licence. */
const LICENCES = {
  'geist.txt': '@fontsource-variable/geist/LICENSE',
  'geist-mono.txt': '@fontsource-variable/geist-mono/LICENSE',
  'dashjs.txt': 'dashjs/LICENSE.md',
  'dashjs-carries.txt': 'dashjs/dist/modern/esm/dash.all.min.js.LICENSE.txt',
  'hls.js.txt': 'hls.js/LICENSE',
  'shaka-player.txt': 'shaka-player/LICENSE',
};

const shared = {
  bundle: true,
  minify: true,
  format: 'esm',
  target: ['chrome109', 'firefox115', 'safari16'],
  legalComments: 'linked',
  logLevel: 'warning',
};

await Promise.all([
  build({ ...shared, entryPoints: { app: join(web, 'src/main.js') }, outdir: dist }),
  build({
    ...shared,
    entryPoints: {
      'player-hls': join(web, 'src/players/hls.js'),
      'player-dash': join(web, 'src/players/dash.js'),
      'player-shaka': join(web, 'src/players/shaka.js'),
    },
    outdir: dist,
  }),
  build({
    ...shared,
    entryPoints: { app: join(web, 'style.css') },
    loader: { '.woff2': 'file' },
    assetNames: '[name]',
    outdir: dist,
  }),
  copyFile(join(web, 'index.html'), join(dist, 'index.html')),
  copyFile(join(web, 'icon.svg'), join(dist, 'icon.svg')),
  ...Object.entries(LICENCES).map(([name, file]) =>
    copyFile(join(web, '../node_modules', file), join(dist, 'licenses', name)),
  ),
]);

for (const entry of await readdir(dist, { withFileTypes: true })) {
  if (!entry.isFile()) continue;
  const { size } = await stat(join(dist, entry.name));
  console.log(`${String(Math.round(size / 1024)).padStart(6)} KiB  web/dist/${entry.name}`);
}
